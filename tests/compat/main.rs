//! Segments in `shared_memory`'s memory, `raw_sync`'s traits on robust events and `lock_api`'s on
//! robust locks, with processes that are killed.
#![cfg(any(feature = "shared_memory", feature = "raw_sync", feature = "lock_api"))]

#[cfg(feature = "raw_sync")]
mod events;
#[cfg(feature = "lock_api")]
mod locks;
#[cfg(feature = "shared_memory")]
mod shmem;
#[path = "../support/mod.rs"]
mod support;

/// Not a test: what a child process runs.
#[test]
fn role() {
    support::run_role(&[
        #[cfg(feature = "raw_sync")]
        ("event-waiter", events::wait),
        #[cfg(feature = "raw_sync")]
        ("event-counted", events::pass_once),
        #[cfg(feature = "raw_sync")]
        ("event-setter", events::set_for_ever),
        #[cfg(feature = "lock_api")]
        ("lock-api-holder", locks::hold),
        #[cfg(feature = "shared_memory")]
        ("shmem-racer", shmem::race),
        #[cfg(feature = "shared_memory")]
        ("shmem-holder", shmem::hold),
        #[cfg(feature = "shared_memory")]
        ("shmem-maker", shmem::make_many),
        #[cfg(feature = "shared_memory")]
        ("shmem-full", shmem::find_no_space),
        #[cfg(feature = "shared_memory")]
        ("shmem-forker", shmem::fork_and_drop),
    ]);
}
