//! Asks what still fits beside running instances: `cargo run -p migsaw --example geometry`.
#![expect(clippy::print_stdout, reason = "an example")]

use migsaw::geometry::{Capability, Catalog, Counts, Layout};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let a100 = Catalog::builtin().model("A100-80GB")?;
    let running = Layout::parse(&a100, "1g.10gb@0,1g.10gb@6")?;

    // Six of eight memory slices are free, and yet:
    let wanted = Counts::parse(&a100, "3g.40gb=1")?;
    match a100.why_not(&wanted, &running) {
        Some(misfit) => println!("{misfit}"),
        None => println!("3g.40gb fits"),
    }
    println!("what fits beside {}, as large as can be:", running.display(&a100));
    for counts in Capability::of(&a100, &running.occupancy(&a100)?).maximal() {
        println!("  {}", counts.display(&a100));
    }
    Ok(())
}
