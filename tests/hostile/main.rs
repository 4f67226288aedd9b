//! Hostile bytes: whatever a segment holds, and whoever writes it at the same time, opening and
//! using it gives results or errors; never a panic, a signal or a wait without end.
//!
//! Cases run in a worker process (`worker`), so that a crash names the case. Each damages the
//! image of a segment that has objects of every kind (`image`, `change`), and then calls every
//! public operation (`exercise`). `PROPTEST_CASES` sets how many cases there are,
//! `PROPTEST_RNG_SEED` which. The watchdog ends a run after two minutes, so a long campaign is a
//! loop over seeds:
//!
//! ```sh
//! for seed in $(seq 100); do
//!     PROPTEST_RNG_SEED=$seed PROPTEST_CASES=1000 cargo test --test hostile -- bytes_damaged || break
//! done
//! ```
//!
//! Nobody can tell a lock word that names a live thread from a lock that this thread holds: it is
//! waited for. So a `warden` stands by that frees such words, and `strangers` tests what waits how
//! long without one.

#[path = "../support/mod.rs"]
#[macro_use]
mod support;
#[path = "../support/observe.rs"]
mod observe;

mod change;
mod circle;
mod directory;
mod exercise;
mod files;
mod image;
mod links;
mod properties;
mod scribbler;
mod strangers;
mod warden;
mod worker;

roles! {
    "worker": worker::run,
    "circle": circle::look,
    "truncate": files::use_cut_file,
}
