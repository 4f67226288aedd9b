//! Locks and events between real processes.

#[path = "../support/mod.rs"]
#[macro_use]
mod support;
#[path = "../support/observe.rs"]
mod observe;

mod barrier;
mod condvar;
mod event;
mod holder;
mod mutex;
mod once;
mod reentrant;
mod rwlock;
mod semaphore;
mod wait_any;
mod waiting;

roles! {
    "mutex": mutex::driver::run,
    "mutex worker": mutex::exclusion::worker,
    "mutex limits": mutex::limits::hold_all,
    "mutex mixed": mutex::limits::lock_at_random,
    "mutex fork": mutex::fork::fork_while_held,
    "mutex vouch": mutex::fork::vouch_in_child,
    "mutex exec": mutex::fork::exec,
    "mutex graveyard": mutex::death::forget_in_a_thread_and_unmap,
    "event": event::driver,
    "condvar": condvar::driver,
    "condvar worker": condvar::worker,
    "once": once::driver,
    "once fork": once::fork_inside,
    "once race": once::racer,
    "reentrant": reentrant::driver,
    "reentrant fork": reentrant::fork_within,
    "reentrant worker": reentrant::worker,
    "rwlock": rwlock::driver::run,
    "rwlock worker": rwlock::writers::worker,
    "rwlock looper": rwlock::writers::read_in_a_loop,
    "rwlock fork": rwlock::fork::fork_while_held,
    "semaphore": semaphore::driver,
    "semaphore fork": semaphore::fork_while_held,
    "barrier": barrier::driver,
    "holder": holder::hold,
    "wait any": wait_any::driver,
    "wait any idle": wait_any::in_vain,
    "wait any bridge": wait_any::bridge,
    "waiting": waiting::driver,
}
