//! What was chosen, on GPUs: packed by the planner, and judged by trying out starts.

use std::sync::Arc;

use anyhow::{Context, ensure};
use migsaw::demand::Demand;
use migsaw::fleet::{Fleet, Pool};
use migsaw::geometry::{Catalog, Model, ProfileId};
use migsaw::plan::{Depth, Options, Plan};
use migsaw::problem::Problem;

use super::data::{Rate, SIZES, Segment, Service};
use super::program::Instances;
use crate::paper::planned::planned;

/// The model that the tables are from, and its profile of each size.
pub(super) fn board() -> anyhow::Result<(Arc<Model>, Vec<ProfileId>)> {
    let model = Catalog::builtin().model("A100-80GB")?;
    let id = |size: &u8| model.profile_ids().find(|(_, p)| p.class == format!("{size}g")).map(|(id, _)| id);
    let ids = SIZES.iter().filter_map(id).collect();
    Ok((model, ids))
}

/// What each GPU carries, if so many GPUs are enough.
///
/// # Errors
/// If they are not, or what comes out does not stand up.
pub(super) fn packed(services: &[Service], instances: &Instances, gpus: u64) -> anyhow::Result<Vec<Vec<Segment>>> {
    let (model, ids) = board()?;
    let mut demands = Vec::new();
    let mut meant = Vec::new();
    for (index, (service, counts)) in services.iter().zip(instances).enumerate() {
        for (size, &count) in counts.iter().enumerate().filter(|(_, count)| **count > 0) {
            let name = format!("{} on {} slices", service.model, SIZES[size]);
            demands.push(Demand::of_profile(name, model.get(ids[size]).name.clone(), count));
            meant.push(Segment { service: index, point: *service.best(size).context("a size it can run on")? });
        }
    }
    let fleet = Fleet { pools: vec![Pool::new("a100", model, u32::try_from(gpus)?, 1)] };
    let problem = Problem { fleet, demands, ..Problem::default() };
    let (plan, _) = planned(&problem, &Options { depth: Depth::ServedAndCost, ..Options::default() })?;
    ensure!(plan.unserved.is_empty(), "{gpus} GPUs are not enough");
    let packed = by_gpu(&plan, &meant);
    stands_up(services, &packed)?;
    Ok(packed)
}

fn by_gpu(plan: &Plan, meant: &[Segment]) -> Vec<Vec<Segment>> {
    let mut gpus = Vec::new();
    for group in &plan.nodes {
        let one = |serving: &migsaw::plan::Serving| {
            std::iter::repeat_n(meant[serving.demand], usize::try_from(serving.units).unwrap_or(usize::MAX))
        };
        let segments: Vec<Segment> = group.serves.iter().flat_map(one).collect();
        gpus.extend(group.nodes.clone().map(|_| segments.clone()));
    }
    gpus
}

/// Whether every GPU can carry what it is to carry, and every service gets what it asks for in time.
///
/// # Errors
/// What is wrong.
pub(super) fn stands_up(services: &[Service], gpus: &[Vec<Segment>]) -> anyhow::Result<()> {
    let mut served: Vec<Rate> = vec![0; services.len()];
    for segments in gpus {
        let sizes: Vec<u8> = segments.iter().map(|segment| SIZES[segment.point.size]).collect();
        ensure!(fits(&sizes), "no GPU carries instances of {sizes:?} slices");
        for segment in segments {
            let service = &services[segment.service];
            let known = service.points.contains(&segment.point);
            ensure!(known, "{} is too slow, or has too many processes, as {:?}", service.model, segment.point);
            served[segment.service] += segment.point.rate;
        }
    }
    for (service, served) in services.iter().zip(served) {
        let (name, rate) = (&service.model, service.rate);
        ensure!(served >= rate, "{name} gets {served} of {rate} millionths of a request a second");
    }
    Ok(())
}

/// Whether one A100-80GB carries instances of these sizes: by trying out starts, which are those that NVIDIA's MIG
/// User Guide shows.
pub(super) fn fits(sizes: &[u8]) -> bool {
    fn place(sizes: &[u8], taken: u16) -> bool {
        let Some((size, rest)) = sizes.split_first() else { return true };
        let (length, starts): (u16, &[u16]) = match size {
            1 => (1, &[0, 1, 2, 3, 4, 5, 6]),
            2 => (2, &[0, 2, 4]),
            3 => (4, &[0, 4]),
            4 => (4, &[0]),
            7 => (8, &[0]),
            _ => return false,
        };
        let masks = starts.iter().map(|start| ((1 << length) - 1) << start);
        masks.into_iter().any(|mask: u16| taken & mask == 0 && place(rest, taken | mask))
    }
    place(sizes, 0)
}

#[cfg(test)]
mod tests {
    use super::super::data::Point;
    use super::*;

    #[test]
    fn starts_decide_what_fits() {
        for sizes in [&[7][..], &[4, 3], &[3, 3], &[1; 7], &[2, 2, 2, 1], &[3, 2, 1, 1], &[1, 2, 4], &[]] {
            assert!(fits(sizes), "{sizes:?}");
        }
        for sizes in [&[7, 1][..], &[4, 4], &[3, 3, 1], &[1; 8], &[2, 2, 2, 2], &[4, 2, 2], &[4, 3, 1], &[5]] {
            assert!(!fits(sizes), "{sizes:?}");
        }
    }

    #[test]
    fn a_plan_that_serves_too_little_or_too_slowly_does_not_stand_up() {
        let point = |size, rate| Point { size, batch: 1, processes: 1, rate, latency: 1 };
        let service = Service { model: "m".to_owned(), rate: 7, points: vec![point(0, 1), point(4, 9)] };
        let services = [service];
        let gpu = |n: usize, point| vec![Segment { service: 0, point }; n];
        assert!(stands_up(&services, &[gpu(7, point(0, 1))]).is_ok());
        assert!(stands_up(&services, &[gpu(6, point(0, 1))]).is_err());
        assert!(stands_up(&services, &[gpu(8, point(0, 1))]).is_err());
        assert!(stands_up(&services, &[gpu(1, point(4, 10))]).is_err());
        assert_eq!(packed(&services, &vec![[0, 0, 0, 0, 1]], 1).unwrap(), [gpu(1, point(4, 9))]);
        assert!(packed(&services, &vec![[7, 0, 0, 0, 1]], 1).is_err());
    }
}
