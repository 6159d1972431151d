//! B5: pods that come and go, one at a time.

use migsaw_sim::{Estimate, Moves, Options};

use super::Settings;
use super::online::{draw, mix, placed, share, shown, site};
use super::table::{Column, Row, Table};

const GPUS: u32 = 100;
/// Others that are placed for comparison.
const OTHERS: [&str; 5] = ["first-fit", "round-robin", "best-fit", "load-balanced", "mfi"];

/// A mix, a load, and what others computed with the same random numbers: each of [`OTHERS`], and the bound.
const CASES: [(&str, f64, [f64; 6]); 12] = [
    ("uniform", 0.85, [0.9695, 0.8691, 0.9890, 0.6794, 0.9906, 0.9997]),
    ("uniform", 1.0, [0.8697, 0.7774, 0.8966, 0.6383, 0.9018, 0.9500]),
    ("uniform", 1.2, [0.7478, 0.6717, 0.7677, 0.5819, 0.7661, 0.8179]),
    ("skew-small", 0.85, [0.9790, 0.8602, 0.9929, 0.7713, 0.9896, 0.9995]),
    ("skew-small", 1.0, [0.8902, 0.7937, 0.9090, 0.7084, 0.8946, 0.9567]),
    ("skew-small", 1.2, [0.7732, 0.7066, 0.7809, 0.6096, 0.7582, 0.8210]),
    ("skew-big", 0.85, [0.9652, 0.9173, 0.9819, 0.7289, 0.9925, 0.9989]),
    ("skew-big", 1.0, [0.8618, 0.8149, 0.8881, 0.6504, 0.9133, 0.9499]),
    ("skew-big", 1.2, [0.7349, 0.6965, 0.7585, 0.5739, 0.7779, 0.8160]),
    ("bimodal", 0.85, [0.9622, 0.8536, 0.9859, 0.5697, 0.9859, 0.9981]),
    ("bimodal", 1.0, [0.8571, 0.7458, 0.8964, 0.4912, 0.8946, 0.9446]),
    ("bimodal", 1.2, [0.7288, 0.6323, 0.7606, 0.4166, 0.7581, 0.8119]),
];
/// Moves for each hundred pods, and the most for one pod.
const BUDGETS: [(&str, Option<Moves>); 5] = [
    ("none", None),
    ("0.5", Some(Moves { per_hundred: 0.5, burst: 10.0, at_once: 1, is_priced: true })),
    ("1", Some(Moves { per_hundred: 0.97, burst: 10.0, at_once: 1, is_priced: true })),
    ("2", Some(Moves { per_hundred: 2.0, burst: 10.0, at_once: 1, is_priced: true })),
    ("5", Some(Moves { per_hundred: 5.0, burst: 10.0, at_once: 2, is_priced: true })),
];
/// How far a mean may be from a published one, which has four digits and perhaps another end of the warm-up.
const CLOSE: f64 = 0.0006;

pub(super) fn run(settings: &Settings) -> anyhow::Result<Vec<Table>> {
    let seeds = settings.seeds(30, 2);
    let cases: Vec<Case> = CASES
        .iter()
        .step_by(if settings.quick { 4 } else { 1 })
        .map(|(name, load, published)| Case::simulated(name, *load, *published, 1000, seeds))
        .collect::<anyhow::Result<_>>()?;
    let mut tables = vec![reproduced(&cases, settings.quick), ours(&cases, settings.quick)];
    if !settings.quick {
        let held_out: Vec<Case> = CASES
            .iter()
            .map(|(name, load, published)| Case::simulated(name, *load, *published, 50_000, seeds))
            .collect::<anyhow::Result<_>>()?;
        let title = "The same with other random numbers (seeds from 50,000)".to_owned();
        tables.push(Table { title, question: String::new(), ..ours(&held_out, false) });
        tables.push(moved("with a few moves", 1000, seeds)?);
        tables.push(moved("with a few moves, other random numbers (seeds from 50,000)", 50_000, seeds)?);
    }
    Ok(tables)
}

/// Slot-weighted acceptance of every run.
struct Case {
    name: String,
    published: [f64; 6],
    others: Vec<Vec<f64>>,
    room: Vec<f64>,
    bound: Vec<f64>,
}

impl Case {
    fn simulated(name: &str, load: f64, published: [f64; 6], first: u64, seeds: u64) -> anyhow::Result<Case> {
        let site = site(GPUS);
        let draw = draw(mix(name), load);
        let longest = draw.longest(&site);
        let runs: Vec<_> =
            (0..seeds).map(|seed| draw.pods(&site, usize::try_from(6 * longest).unwrap_or(0), first + seed)).collect();
        let options = Options { measured: 2 * longest..6 * longest, ..Options::default() };
        let of = |policy: &str| -> anyhow::Result<Vec<f64>> {
            runs.iter().map(|pods| Ok(placed(&site, pods, policy, &options)?.all.by_units())).collect()
        };
        Ok(Case {
            name: format!("{name} {load:.2}"),
            published,
            others: OTHERS.iter().map(|policy| of(policy)).collect::<anyhow::Result<_>>()?,
            room: of("room")?,
            bound: of("repacked")?,
        })
    }

    /// The acceptance of `room` with a budget of moves, and the moves made for each hundred pods.
    fn again(&self, name: &str, load: f64, first: u64, moves: Option<Moves>) -> anyhow::Result<(f64, f64)> {
        let site = site(GPUS);
        let draw = draw(mix(name), load);
        let longest = draw.longest(&site);
        let options = Options { measured: 2 * longest..6 * longest, moves, ..Options::default() };
        let (mut accepted, mut made) = (Vec::new(), Vec::new());
        for seed in first..first + self.room.len() as u64 {
            let pods = draw.pods(&site, usize::try_from(6 * longest).unwrap_or(0), seed);
            let outcome = placed(&site, &pods, "room", &options)?;
            accepted.push(outcome.all.by_units());
            made.push(100.0 * share(outcome.moves, outcome.all.pods));
        }
        Ok((Estimate::of(&accepted).mean, Estimate::of(&made).mean))
    }
}

/// What a few moves gain at load 1.
fn moved(title: &str, first: u64, seeds: u64) -> anyhow::Result<Table> {
    let mut columns = vec![Column::Value("mix"), Column::Value("best of MFI and best-fit"), Column::Value("repacked")];
    columns.extend(BUDGETS.map(|(name, _)| Column::Value(name)));
    let mut table = Table::new(
        format!("100 A100-80GB, one arrival at a time, load 1.00: {title}"),
        "`room`, and running pods that are moved to make room for one that fits nowhere: so many for each hundred that \
         come. Slot-weighted acceptance, how much of the gap from the best of MFI and best-fit to the bound is closed, and \
         moves made for each hundred. Half of the gap with one.",
        &columns,
    );
    for (name, load, published) in CASES.iter().filter(|(_, load, _)| (load - 1.0).abs() < 1e-9) {
        let case = Case::simulated(name, *load, *published, first, seeds)?;
        let best = Estimate::of(&case.others[2]).mean.max(Estimate::of(&case.others[4]).mean);
        let bound = Estimate::of(&case.bound).mean;
        let mut row = Row::of(&[name, &format!("{best:.4}"), &format!("{bound:.4}")]);
        let mut is_half = false;
        for (_, moves) in BUDGETS {
            let (accepted, made) = case.again(name, *load, first, moves)?;
            let closed = (accepted - best) / (bound - best);
            row = row.with(&format!("{accepted:.4}, {:.0} %, {made:.2}", 100.0 * closed));
            is_half |= made <= 1.0 && closed >= 0.5;
        }
        table.rows.push(row.value(is_half));
    }
    Ok(table)
}

/// The figures of others, again.
fn reproduced(cases: &[Case], quick: bool) -> Table {
    let mut columns = vec![Column::Value("mix, load")];
    columns.extend(OTHERS.map(Column::Value));
    columns.push(Column::Value("repacked"));
    let mut table = Table::new(
        "100 A100-80GB, one arrival at a time: the simulator against figures of others",
        "The setting of Zambianco, Fasol, Doriguzzi-Corin (MFI, arXiv 2511.18906): lifetimes uniform up to a T that gives \
         the load, 2 T to warm up, 4 T measured. Slot-weighted acceptance, ours (as computed independently with the same \
         random numbers); within 0.0006.",
        &columns,
    );
    for case in cases {
        let means = case.others.iter().chain([&case.bound]).map(|values| Estimate::of(values).mean);
        let pairs: Vec<(f64, f64)> = means.zip(case.published).collect();
        let row = Row::of(&[&case.name]);
        let row = pairs.iter().fold(row, |row, (ours, theirs)| row.with(&format!("{ours:.4} ({theirs:.4})")));
        table.rows.push(row.value(quick || pairs.iter().all(|(ours, theirs)| (ours - theirs).abs() <= CLOSE)));
    }
    table
}

/// Our score, without any move.
fn ours(cases: &[Case], quick: bool) -> Table {
    let mut table = Table::new(
        "100 A100-80GB, one arrival at a time: the room that is left",
        "The same; `room` against the better of MFI and best-fit, by differences of the same run, with 95 % intervals, and \
         how much of the gap to the bound it closes. No move, nothing refused that fits. To be better in every row.",
        &[
            Column::Value("mix, load"),
            Column::Value("best of MFI and best-fit"),
            Column::Value("room"),
            Column::Value("more"),
            Column::Value("repacked"),
            Column::Value("of the gap closed"),
        ],
    );
    for case in cases {
        let best = case.others[2..].iter().max_by(|a, b| Estimate::of(a).mean.total_cmp(&Estimate::of(b).mean));
        let best = best.expect("there are others");
        let more = Estimate::of_differences(&case.room, best);
        let gap = Estimate::of_differences(&case.bound, best);
        let surely = more.mean - more.half_width.unwrap_or(0.0);
        table.rows.push(
            Row::of(&[
                &case.name,
                &shown(&Estimate::of(best)),
                &shown(&Estimate::of(&case.room)),
                &shown(&more),
                &shown(&Estimate::of(&case.bound)),
                &format!("{:.0} %", 100.0 * more.mean / gap.mean),
            ])
            .value(quick || surely > 0.0),
        );
    }
    table
}
