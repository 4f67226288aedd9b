//! Values, counters, arrays and queues between real processes.

#[path = "../support/mod.rs"]
#[macro_use]
mod support;
#[path = "../support/observe.rs"]
mod observe;

mod array;
mod broadcast;
mod byte_queue;
mod counter;
mod driver;
mod latest;
mod list;
mod listener;
mod loans;
mod map;
mod namespace;
mod pipe;
mod queue;
mod service;
mod spsc;
mod task_queue;
mod value;

roles! {
    "value hold": value::hold,
    "value write": value::write_for_ever,
    "value count": value::count,
    "value fork": value::fork_while_held,
    "value large": value::write_large,
    "counter add": counter::add,
    "counter hold": counter::hold,
    "latest write": latest::write_for_ever,
    "latest read": latest::read_for_ever,
    "latest count": latest::count,
    "latest tick": latest::tick,
    "latest wait": latest::waiter,
    "latest fork": latest::fork_in_update,
    "map change": map::kills::change_for_ever,
    "map count": map::kills::count_for_ever,
    "map hold": map::kills::hold,
    "list change": list::kills::change_for_ever,
    "list insert": list::kills::insert_for_ever,
    "list shuffle": list::kills::shuffle_for_ever,
    "list hold": list::kills::hold,
    "namespace change": namespace::kills::change_for_ever,
    "array hold": array::hold,
    "array write": array::write_for_ever,
    "array tear": array::set_elements,
    "array add": array::add,
    "queue driver": queue::driver::run,
    "queue produce": queue::stress::produce,
    "queue consume": queue::stress::consume,
    "queue stream": queue::stream::run,
    "queue echo": queue::length::echo,
    "broadcast driver": broadcast::driver::run,
    "broadcast receive": broadcast::stream::run,
    "broadcast supply": broadcast::stream::supply,
    "broadcast compete": broadcast::stream::compete,
    "broadcast publish": broadcast::deaths::publish_for_ever,
    "broadcast receive for ever": broadcast::deaths::receive_for_ever,
    "broadcast fork": broadcast::forks::run,
    "byte queue driver": byte_queue::driver::run,
    "byte queue produce": byte_queue::stress::produce,
    "byte queue consume": byte_queue::stress::consume,
    "byte queue write": byte_queue::deaths::write_for_ever,
    "byte queue read": byte_queue::deaths::read_for_ever,
    "byte queue fork": byte_queue::forks::run,
    "pipe driver": pipe::driver::run,
    "pipe send": pipe::deaths::send_for_ever,
    "pipe fork": pipe::forks::run,
    "pipe child": pipe::inherited::child,
    "listener driver": listener::driver::run,
    "loans driver": loans::driver::run,
    "loans send": loans::deaths::send_for_ever,
    "loans receive": loans::deaths::receive_for_ever,
    "loans stress send": loans::stress::send,
    "loans stress receive": loans::stress::receive,
    "loans fork": loans::forks::run,
    "service driver": service::driver::run,
    "service serve": service::deaths::serve_for_ever,
    "service call": service::deaths::call_for_ever,
    "service fork": service::forks::run,
    "task queue driver": task_queue::driver::run,
    "task queue work": task_queue::deaths::work_for_ever,
    "task queue produce": task_queue::deaths::produce_for_ever,
    "task queue fork": task_queue::forks::run,
    "spsc driver": spsc::driver::run,
    "spsc receive": spsc::stream::run,
    "spsc supply": spsc::deaths::supply,
    "spsc drain": spsc::deaths::drain,
    "spsc end threads": spsc::roles::end_threads,
    "spsc fork": spsc::forks::ends,
    "spsc fork write": spsc::forks::write_chunk,
    "spsc fork read": spsc::forks::read_chunk,
}

/// A segment, and its name.
fn segment(what: &str) -> (outlive::Segment, String) {
    large_segment(what, 4 << 20)
}

fn large_segment(what: &str, capacity: u64) -> (outlive::Segment, String) {
    support::watchdog();
    let name = support::unique(what);
    (outlive::Segment::options().capacity(capacity).create(&name).expect("create"), name)
}

/// Unwinds out of `run`, without a message.
fn unwind(run: impl FnOnce(Unwind)) {
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| run(Unwind)));
    assert!(outcome.is_err(), "it was to unwind");
}

/// To be called where a panic is wanted.
struct Unwind;

impl Unwind {
    fn now(self) -> ! {
        std::panic::resume_unwind(Box::new("on purpose"))
    }
}
