//! What is asked for, how much of it is served, and where.

use std::collections::BTreeMap;

use migsaw::demand::{Demand, Request, Together, memory};
use migsaw::plan::Plan;
use migsaw::problem::Problem;

use crate::clean::clean;
use crate::number::{counted, grouped};
use crate::page::Page;
use crate::style::{Style, Tone};
use crate::table::Table;

/// Most demands shown; what is fully served is left out first.
const MOST_ROWS: usize = 50;
/// Most places shown of one demand.
const MOST_PLACES: usize = 2;

/// Where one demand is served: units by pool and by what serves it.
pub(super) type Places = BTreeMap<usize, (u64, BTreeMap<String, u64>)>;

/// The table of demands.
pub(super) fn text(problem: &Problem, plan: &Plan, style: Style) -> String {
    if problem.demands.is_empty() {
        return String::new();
    }
    let served = plan.served(problem.demands.len());
    let places = places(problem, plan);
    let ranked = problem.demands.iter().any(|demand| demand.priority != problem.demands[0].priority);
    let mut table = if ranked {
        Table::new(&["Demand", "asks for", ">priority", ">served", "|", "where"])
    } else {
        Table::new(&["Demand", "asks for", ">served", "|", "where"])
    };
    let short = |&i: &usize| served[i] < problem.demands[i].count;
    let all: Vec<usize> = (0..problem.demands.len()).collect();
    let shown: Vec<usize> = if all.len() <= MOST_ROWS {
        all
    } else {
        let (first, rest): (Vec<usize>, Vec<usize>) = all.into_iter().partition(short);
        let mut shown: Vec<usize> = first.into_iter().chain(rest).take(MOST_ROWS).collect();
        shown.sort_unstable();
        shown
    };
    for &i in &shown {
        let demand = &problem.demands[i];
        let mut row = vec![clean(&demand.full_name()).into_owned(), asks(demand, style)];
        if ranked {
            row.push(demand.priority.to_string());
        }
        row.push(format!("{} of {}", grouped(served[i]), grouped(demand.count)));
        row.push(if short(&i) {
            style.paint(Tone::Bad, format!("{} short", grouped(demand.count - served[i])))
        } else {
            style.paint(Tone::Good, "all")
        });
        row.push(place_names(problem, demand, places.get(&i), MOST_PLACES));
        table.row(row);
    }
    let mut page = Page::new(style);
    page.push(&table.print(style));
    let hidden: Vec<usize> = (0..problem.demands.len()).filter(|i| shown.binary_search(i).is_err()).collect();
    if !hidden.is_empty() {
        let unserved = hidden.iter().filter(|&i| short(i)).count();
        let how = if unserved == 0 {
            "all served".to_owned()
        } else {
            format!("{} not fully served", grouped(unserved as u64))
        };
        page.line(format!("and {}, {how} (see -o json)", counted(hidden.len() as u64, "more demand")));
    }
    page.finish()
}

/// What one unit of a demand asks for, in few words.
pub(super) fn asks(demand: &Demand, style: Style) -> String {
    let times = |n: u32, what: String| if n == 1 { what } else { format!("{n} {} {what}", style.times()) };
    let (what, together, several) = match &demand.request {
        Request::Profiles { instances, together } => {
            let parts: Vec<String> = instances.iter().map(|(name, &n)| times(n, name.to_string())).collect();
            (parts.join(" + "), *together, instances.values().map(|&n| u64::from(n)).sum::<u64>() > 1)
        }
        Request::AtLeast { memory_mib, compute_slices, instances, together } => {
            let at_least = style.pick("≥", ">=");
            let what = format!("{at_least} {}, {compute_slices}g", memory(*memory_mib));
            (times(*instances, what), *together, *instances > 1)
        }
        Request::WholeGpus { gpus: 1 } => ("1 whole GPU".to_owned(), Together::Node, false),
        Request::WholeGpus { gpus } => (format!("{gpus} whole GPUs"), Together::Node, false),
    };
    let place = match together {
        _ if !several => "",
        Together::Node => " on one node",
        Together::Gpu => " on one GPU",
    };
    let most = demand.max_per_node.map_or(String::new(), |most| format!(", max {} a node", grouped(u64::from(most))));
    format!("{what}{place}{most}")
}

/// Where each demand is served, by its index.
pub(super) fn places(problem: &Problem, plan: &Plan) -> BTreeMap<usize, Places> {
    let mut found: BTreeMap<usize, Places> = BTreeMap::new();
    for group in &plan.nodes {
        let models: Vec<_> = problem.fleet.pools[group.pool].gpu_models().collect();
        for serving in &group.serves {
            let nodes = u64::from(group.node_count());
            let place = found.entry(serving.demand).or_default().entry(group.pool).or_default();
            place.0 += u64::from(serving.units) * nodes;
            for share in &serving.shares {
                if let Some(profile) = share.profile {
                    let name = models[usize::from(share.gpu)].get(profile).name.to_string();
                    *place.1.entry(name).or_default() += u64::from(share.instances) * nodes;
                }
            }
        }
    }
    found
}

/// `inference 120, batch 4`, at most so many pools; for flexible demands in one pool also on what.
pub(super) fn place_names(problem: &Problem, demand: &Demand, places: Option<&Places>, most: usize) -> String {
    let Some(places) = places else { return "nowhere".to_owned() };
    let flexible = matches!(demand.request, Request::AtLeast { .. }) && places.len() == 1;
    let name = |pool: &usize| clean(&problem.fleet.pools[*pool].name).into_owned();
    let mut largest: Vec<_> = places.iter().collect();
    largest.sort_by_key(|&(pool, (units, _))| (std::cmp::Reverse(*units), *pool));
    let mut shown: Vec<String> = Vec::new();
    for (pool, (units, profiles)) in largest.iter().take(most) {
        let units = if places.len() == 1 { String::new() } else { format!(" {}", grouped(*units)) };
        let on = if flexible {
            let names: Vec<String> = match profiles.len() {
                1 => profiles.keys().cloned().collect(),
                _ => profiles.iter().map(|(name, n)| format!("{name}={n}")).collect(),
            };
            format!(" ({})", names.join(", "))
        } else {
            String::new()
        };
        shown.push(format!("{}{units}{on}", name(pool)));
    }
    if largest.len() > most {
        shown.push(counted((largest.len() - most) as u64, "more pool"));
    }
    shown.join(", ")
}
