//! Plans a mix in twenty lines: `cargo run -p migsaw --example plan`.
#![expect(clippy::print_stdout, reason = "an example")]

use migsaw::demand::Demand;
use migsaw::fleet::{Fleet, Pool};
use migsaw::geometry::Catalog;
use migsaw::plan::{Options, plan};
use migsaw::problem::Problem;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let h100 = Catalog::builtin().model("H100-80GB")?;
    let problem = Problem {
        fleet: Fleet { pools: vec![Pool::new("inference", h100, 2, 8)] },
        demands: vec![
            Demand::of_profile("llm-7b", "1g.10gb".parse()?, 40),
            Demand::of_profile("llm-30b", "3g.40gb".parse()?, 11),
        ],
        ..Problem::default()
    };
    let plan = plan(&problem, &Options::default())?;
    for (demand, served) in problem.demands.iter().zip(plan.served(2)) {
        println!("{}: {served} of {} served", demand.name, demand.count);
    }
    println!("{} GPUs used, {:?}", plan.gpus_used(), plan.status);
    Ok(())
}
