//! The kernel, one thin typed function per call. Nothing above this layer names libc, nix or a
//! system call.

#[cfg(not(loom))]
pub(crate) mod clock;
pub(crate) mod descriptor;
#[cfg(not(loom))]
pub(crate) mod futex;
pub(crate) mod hooks;
pub(crate) mod mapping;
#[cfg(not(loom))]
pub(crate) mod membarrier;
#[cfg(feature = "async")]
pub(crate) mod per_process;
#[cfg_attr(loom, allow(dead_code))] // a model stands in for part of it
pub(crate) mod process;
#[cfg(not(loom))]
pub(crate) mod robust_list;
pub(crate) mod shm;
