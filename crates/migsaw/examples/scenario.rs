//! Plans a scenario file, lets the checker judge the plan, and prints it as JSON:
//! `cargo run -p migsaw --example scenario examples/inference.yaml`.

use migsaw::check::check;
use migsaw::document::plan::PlanDocument;
use migsaw::document::scenario;
use migsaw::geometry::Catalog;
use migsaw::plan::{Options, plan};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args().nth(1).ok_or("give a scenario file")?;
    let text = std::fs::read_to_string(&path)?;
    let problem = scenario::parse(&text, &Catalog::builtin()).map_err(|found| found.in_source(&path))?;
    let plan = plan(&problem, &Options::default())?;
    for violation in check(&problem, &plan) {
        eprintln!("{}: {violation}", violation.code());
    }
    serde_json::to_writer_pretty(std::io::stdout().lock(), &PlanDocument::streamed(&problem, &plan))?;
    Ok(())
}
