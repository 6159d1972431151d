//! Questions about capacity are answered as exhaustion answers them, and more hardware never fits less.
//!
//! `MIGSAW_CASES` sets the number of random problems, `MIGSAW_SEED` the first seed.

mod buy;
mod exhaustion;
mod fits;
mod slices;
mod whatif;

use migsaw_tests::strategies::Size;

const FLAT: Size = Size { gpus: 3, gpus_per_node: 2, demands: 3, units: 4, node_rules: false };
const RULES: Size = Size { node_rules: true, ..FLAT };
