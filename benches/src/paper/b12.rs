//! B12: sequences that are made to go wrong.

use migsaw_sim::{Options, Site, Workload};

use super::Settings;
use super::online::{PROFILES, placed, sequence, site, workload};
use super::table::{Column, Row, Table, of};
use migsaw_tests::closed_form;

const POLICIES: [&str; 4] = ["first-fit", "best-fit", "mfi", "room"];
/// GPUs of the sequences.
const GPUS: usize = 64;

pub(super) fn run(_: &Settings) -> anyhow::Result<Vec<Table>> {
    Ok(vec![every_order()?, sequences()?])
}

/// Every order in which instances that fit on one GPU can come.
fn every_order() -> anyhow::Result<Table> {
    let mut columns = vec![Column::Value("instances together")];
    columns.extend(POLICIES.map(Column::Value));
    let mut table = Table::new(
        "Every order of every multiset that fits on one A100-80GB: orders in which something is refused",
        "All of it fits, so nothing has to be refused. `room` is to refuse nothing, or no more than must be for whoever does not know what comes.",
        &columns,
    );
    let site = site(1);
    let mut orders = Vec::new();
    extend(&mut Vec::new(), &mut orders);
    let mut by_total: Vec<(usize, [usize; 4])> = Vec::new();
    for order in &orders {
        let total = order.len();
        let at = by_total.iter().position(|(n, _)| *n == total).unwrap_or_else(|| {
            by_total.push((total, [0; 4]));
            by_total.len() - 1
        });
        for (sum, policy) in by_total[at].1.iter_mut().zip(POLICIES) {
            let outcome = placed(&site, &sequence(order), policy, &Options { measured: 0..1, ..Options::default() })?;
            *sum += usize::from(outcome.all.placed < outcome.all.pods);
        }
    }
    by_total.sort_unstable();
    for (total, refused) in &by_total {
        let all = orders.iter().filter(|order| order.len() == *total).count();
        let row = refused.iter().fold(Row::of(&[total]), |row, n| row.with(&of(*n, all)));
        table.rows.push(row);
    }
    Ok(table)
}

/// All sequences of which everything fits together on one GPU.
fn extend(chosen: &mut Vec<usize>, orders: &mut Vec<Vec<usize>>) {
    for profile in 0..PROFILES.len() {
        chosen.push(profile);
        let mut counts = [0; 6];
        for &profile in chosen.iter() {
            counts[profile] += 1;
        }
        if closed_form::Mix::from(counts).fits(1) {
            orders.push(chosen.clone());
            extend(chosen, orders);
        }
        chosen.pop();
    }
}

/// Sequences on many GPUs, against who knows them beforehand.
fn sequences() -> anyhow::Result<Table> {
    let mut columns = vec![Column::Value("sequence")];
    columns.extend(POLICIES.map(Column::Value));
    columns.push(Column::Value("repacked"));
    let mut table = Table::new(
        format!(
            "Sequences on {GPUS} A100-80GB: memory slices placed, of those that whoever knows them beforehand could place"
        ),
        "Small ones and then whole GPUs; small ones of which the worst-placed stay; pairs that take starts 2 and 4.",
        &columns,
    );
    let gpus = site(u32::try_from(GPUS)?);
    for (name, pods) in [
        ("1g for each GPU, then 7g for each", small_then_whole()),
        ("1g everywhere, one on each GPU stays; then 4g for each GPU", one_stays()),
        ("2g and 3g in turn, the 2g leave; then 4g for each GPU", pairs()),
    ] {
        let mut row = Row::of(&[&name]);
        for policy in POLICIES.iter().chain(&["repacked"]) {
            row = row.with(&format!("{:.3}", share(&gpus, &pods, policy)?));
        }
        table.rows.push(row);
    }
    Ok(table)
}

fn share(site: &Site, pods: &Workload, policy: &str) -> anyhow::Result<f64> {
    let outcome = placed(site, pods, policy, &Options::default())?;
    let best = placed(site, pods, "repacked", &Options::default())?;
    Ok(outcome.all.by_units() / best.all.by_units())
}

fn small_then_whole() -> Workload {
    let small = (0..GPUS).map(|_| (0, 10, 0));
    workload(small.chain((0..GPUS).map(|_| (1, 10, 5))))
}

fn one_stays() -> Workload {
    // The seventh of each seven stays.
    let small = (0..7 * GPUS).map(|n| (0, if n % 7 == 6 { 10 } else { 1 }, 0));
    workload(small.chain((0..GPUS).map(|_| (2, 10, 4))))
}

fn pairs() -> Workload {
    let pairs = (0..GPUS).flat_map(|_| [(0, 1, 2), (0, 10, 3)]);
    workload(pairs.chain((0..GPUS).map(|_| (2, 10, 4))))
}
