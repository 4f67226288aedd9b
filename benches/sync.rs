//! What each synchronisation primitive costs, beside its process-shared counterpart in the C library
//! and beside the bare means, measured in the same run.
//!
//! `cargo bench --bench sync` prints tables, with `-- --json` one JSON object a line; `-- --quick`
//! measures less. Contended figures and ping-pongs are between real processes (this program starts
//! itself again), dealt to the cores in turn. The ratio is the median over interleaved repetitions.
//! A failed check (a lost count, a torn value, a hang) ends with an error; slowness does not.
//!
//! None of the C library's primitives but its robust mutex survives the death of who uses it.

mod support;

#[path = "sync/job.rs"]
mod job;
#[path = "sync/peers/mod.rs"]
mod peers;
#[path = "sync/workloads/mod.rs"]
mod workloads;

use support::program::Program;

fn main() {
    Program { name: "sync", workloads: workloads::ALL, child: workloads::child }.main();
}
