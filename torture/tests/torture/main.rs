//! Small runs with a fixed seed; `make torture` is the large one.

mod backlog;
mod faults;
mod mutants;

use std::path::PathBuf;

use torture::{Mutant, Place};

const SEED: u64 = 4;

/// Where the tests take place: with pg_net as it is, or with a mutant of it.
fn place(mutant: Option<Mutant>) -> Place {
    let tree = |variable| std::env::var_os(variable).map(PathBuf::from).expect("run `make test`");
    Place {
        receiver: env!("CARGO_BIN_EXE_torture-receiver").into(),
        scratch: tree("PGNET_TEST_TMP"),
        mutant: mutant.map(|mutant| (tree("PGNET_MUTANTS_ROOT"), mutant)),
    }
}
