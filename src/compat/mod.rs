//! For programs that use the crates `shared_memory`, `raw_sync` and `lock_api`: their memory and
//! their traits, on what outlives a kill.
//!
//! | feature | gives |
//! |---|---|
//! | `shared_memory` | `Segment::in_shmem`: a segment in a `shared_memory::Shmem` |
//! | `raw_sync` | `RobustEvent`: `raw_sync`'s event traits on a robust event |
//! | `lock_api` | `RawMutex`: `lock_api`'s mutex traits on a robust mutex |
//!
//! `docs/migration.md` shows the old code beside the new.

#[cfg(feature = "lock_api")]
mod lock_api;
#[cfg(feature = "raw_sync")]
mod raw_sync;
#[cfg(feature = "shared_memory")]
mod shared_memory;

#[cfg(feature = "lock_api")]
pub use self::lock_api::RawMutex;
#[cfg(feature = "raw_sync")]
pub use self::raw_sync::RobustEvent;

/// Compiles the new code of the migration page, which uses both features.
#[cfg(all(doctest, feature = "shared_memory", feature = "raw_sync", feature = "serde"))]
#[doc = include_str!("../../docs/migration.md")]
struct MigrationPage;
