//! B12: sequences that are made to go wrong.

use anyhow::Context;
use migsaw::geometry::{Catalog, ProfileId, StateId, States};
use migsaw::score::Mix;
use migsaw_sim::{Options, Policy, Site, Workload, simulate};

use super::Settings;
use super::online::{PROFILES, placed, sequence, site, workload};
use super::table::{Column, Row, Table};
use migsaw_tests::closed_form;

const POLICIES: [&str; 4] = ["first-fit", "best-fit", "mfi", "room"];
/// GPUs of the sequences.
const GPUS: usize = 64;

pub(super) fn run(_: &Settings) -> anyhow::Result<Vec<Table>> {
    Ok(vec![every_order()?, sequences()?])
}

/// Every order in which instances that fit on one GPU can come.
fn every_order() -> anyhow::Result<Table> {
    let mut columns = vec![Column::Value("profiles"), Column::Value("orders")];
    columns.extend(POLICIES.map(Column::Value));
    columns.push(Column::Value("fewest"));
    let mut table = Table::new(
        "Every order of every multiset that fits on one A100-80GB: orders in which something is refused",
        "All of each order fits, if one knows it. Nobody who does not can serve all of them: `fewest` is what is refused at \
         least by whoever chooses the starts one by one, found backwards from the last instance. `room` is to refuse no \
         more than first-fit.",
        &columns,
    );
    let site = site(1);
    for (name, profiles) in [("all but 1g.20gb", &[0, 2, 3, 4, 5][..]), ("all six", &[0, 1, 2, 3, 4, 5])] {
        let mut orders = Vec::new();
        extend(profiles, &mut Vec::new(), &mut orders);
        let mut expected = Mix::default();
        for &profile in profiles {
            expected.add([(PROFILES[profile].parse()?, 1)], 1);
        }
        let mut refused = [0; POLICIES.len()];
        for order in &orders {
            for (sum, policy) in refused.iter_mut().zip(POLICIES) {
                let options = Options { measured: 0..1, ..Options::default() };
                let policy = Policy::named(policy).context("a policy")?;
                // Whoever knew what comes would not have to guess.
                let outcome = simulate(&site, &sequence(order), &policy, &expected, &options)?;
                *sum += usize::from(outcome.all.placed < outcome.all.pods);
            }
        }
        let row = refused.iter().fold(Row::of(&[&name, &orders.len()]), |row, n| row.with(n));
        let row = row.with(&Backwards::new(profiles)?.refused_at_least());
        table.rows.push(row.value(refused[POLICIES.len() - 1] <= refused[0]));
    }
    Ok(table)
}

/// Whether these instances fit on one GPU, by the formula.
fn fits(counts: [u64; 6]) -> bool {
    closed_form::Mix::from(counts).fits(1)
}

/// All sequences of which everything fits together on one GPU.
fn extend(profiles: &[usize], chosen: &mut Vec<usize>, orders: &mut Vec<Vec<usize>>) {
    for &profile in profiles {
        chosen.push(profile);
        let mut counts = [0; 6];
        for &profile in chosen.iter() {
            counts[profile] += 1;
        }
        if fits(counts) {
            orders.push(chosen.clone());
            extend(profiles, chosen, orders);
        }
        chosen.pop();
    }
}

/// The states of one GPU, and what must be refused from each on.
struct Backwards {
    states: States,
    ids: Vec<(usize, ProfileId)>,
}

impl Backwards {
    fn new(profiles: &[usize]) -> anyhow::Result<Backwards> {
        let model = Catalog::builtin().model("A100-80GB")?;
        let id = |&at: &usize| -> anyhow::Result<(usize, ProfileId)> {
            Ok((at, model.profile(&PROFILES[at].parse()?).context("a profile of the model")?))
        };
        let ids: Vec<(usize, ProfileId)> = profiles.iter().map(id).collect::<anyhow::Result<_>>()?;
        let states = States::of_profiles(&model, &ids.iter().map(|(_, id)| *id).collect::<Vec<_>>());
        Ok(Backwards { states, ids })
    }

    /// The fewest orders in which something is refused, over all ways to choose starts.
    fn refused_at_least(&self) -> u64 {
        let mut refused = vec![0; self.states.len()];
        let ids: Vec<StateId> = self.states.ids().collect();
        for &state in ids.iter().rev() {
            let counts = self.states.layout(state).counts();
            let mut there = [0; 6];
            for &(at, id) in &self.ids {
                there[at] = u64::from(counts[id]);
            }
            let mut sum = 0;
            for &(at, id) in &self.ids {
                let mut more = there;
                more[at] += 1;
                if fits(more) {
                    let ways = self.states.additions(state).iter().filter(|step| step.placement.profile == id);
                    let best: Option<u64> = ways.map(|step| refused[step.to.index()]).min();
                    sum += best.unwrap_or_else(|| 1 + self.orders_after(more));
                }
            }
            refused[state.index()] = sum;
        }
        refused[StateId::EMPTY.index()]
    }

    /// How many orders go on from these instances.
    fn orders_after(&self, counts: [u64; 6]) -> u64 {
        let after = |&(at, _): &(usize, ProfileId)| {
            let mut more = counts;
            more[at] += 1;
            if fits(more) { 1 + self.orders_after(more) } else { 0 }
        };
        self.ids.iter().map(after).sum()
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
