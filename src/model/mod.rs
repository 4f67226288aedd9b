//! The machine as the model checker sees it: with `--cfg loom`, [`seam`](crate::seam) leads here.
//!
//! Atomics keep their size and place, so that layouts, checked references and the segment itself are
//! the real ones; what a word holds is kept beside it, in a loom atomic that is found by its address.
//! A model makes its segment and objects as any program does, and from [`begin`](run::begin) on
//! every access is loom's.
//!
//! A process is a loom thread. Each access to shared memory, and each step of the book-keeping for
//! the kernel, is a place where it can die: [`mortal`](run::mortal) lets it run so many steps, then
//! unwinds it without letting any destructor touch shared memory, and does what the kernel does at a
//! death.
//!
//! What this leaves out: memory is not cut short, there is no signal, and time passes only when
//! [`tick`](futex::tick) says so: a model without it proves that no wake-up is lost, whatever the
//! 100 ms check would make up for.
//!
//! ```text
//! RUSTFLAGS='--cfg loom' cargo test --release --lib model
//! ```

#![cfg_attr(not(test), allow(dead_code))] // what only models call

pub(crate) mod atomic;
pub(crate) mod clock;
pub(crate) mod futex;
pub(crate) mod membarrier;
pub(crate) mod process;
pub(crate) mod robust_list;
#[cfg(test)]
pub(crate) mod run;
mod weaken;

#[cfg(test)]
mod array;
#[cfg(test)]
mod broadcast;
#[cfg(test)]
mod byte_queue;
#[cfg(test)]
mod condvar;
#[cfg(test)]
mod counter;
#[cfg(test)]
mod event;
#[cfg(test)]
mod latest;
#[cfg(test)]
mod list;
#[cfg(test)]
mod listener;
#[cfg(test)]
mod loans;
#[cfg(test)]
mod lock;
#[cfg(test)]
mod map;
#[cfg(test)]
mod once;
#[cfg(test)]
mod pipe;
#[cfg(test)]
mod queue;
#[cfg(all(test, feature = "async"))]
mod reactor;
#[cfg(test)]
mod rwlock;
#[cfg(test)]
mod semaphore;
#[cfg(test)]
mod service;
#[cfg(test)]
mod spsc;
#[cfg(test)]
mod task_queue;
#[cfg(test)]
mod value;
#[cfg(test)]
mod wait_any;
