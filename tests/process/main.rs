//! Functions in processes of their own: the test binary is the program that is started again.

#[path = "../support/observe.rs"]
mod observe;
#[path = "../support/mod.rs"]
#[macro_use]
mod support;

mod calls;
mod children;
mod ends;
mod forks;
mod handles;
mod intercept;
mod parents;
mod scope;
mod streams;

roles! {
    "process env": intercept::environment,
    "process affinity": children::on_one_processor,
}
