//! The kernel, one thin typed function per call. Nothing above this layer names libc, nix or a
//! system call.

pub(crate) mod futex;
pub(crate) mod hooks;
pub(crate) mod mapping;
pub(crate) mod membarrier;
pub(crate) mod process;
pub(crate) mod robust_list;
pub(crate) mod shm;
