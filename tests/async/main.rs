//! Waiting in tasks: futures on several runtimes and on none, between real processes.

#[path = "../support/mod.rs"]
#[macro_use]
mod support;
#[path = "../support/observe.rs"]
mod observe;

mod cancel;
mod crowd;
mod deaths;
mod driver;
mod forks;
mod idle;
mod operations;
mod runtime;
mod stream;

roles! {
    "async": driver::run,
    "async fork": forks::child_waits,
    "async idle": idle::in_vain,
    "async victim": deaths::victim,
}
