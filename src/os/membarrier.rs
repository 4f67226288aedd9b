//! An asymmetric memory fence: membarrier(2).
//!
//! Releasing a lock and publishing a message are frequent, going to sleep is not. So the frequent
//! side only keeps the compiler from reordering (`light`), and the side that is about to sleep makes
//! the kernel run a full barrier on every processor that runs a registered process (`heavy`).
//! Together they order as two sequentially consistent fences would: `store A; light; load B` against
//! `store B; heavy; load A` never reads both old values.
#![allow(unsafe_code)] // raw system calls

use core::sync::atomic::{AtomicBool, Ordering, compiler_fence, fence};

/// Whether this process is interrupted by other processes' `heavy`. Until it is, its `light` is a
/// full fence.
static REGISTERED: AtomicBool = AtomicBool::new(false);

fn membarrier(command: libc::c_int) -> bool {
    // SAFETY: membarrier takes no pointers.
    unsafe { libc::syscall(libc::SYS_membarrier, command, 0, 0) == 0 }
}

/// Makes this process one that others' `heavy` reaches. Called before its first `light`, and in a
/// forked child.
pub(crate) fn register() {
    let registered = membarrier(libc::MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED);
    REGISTERED.store(registered, Ordering::Relaxed);
}

/// [`register`], unless that was done.
pub(crate) fn ensure_registered() {
    if !REGISTERED.load(Ordering::Relaxed) {
        register();
    }
}

/// The frequent side's fence.
#[inline]
pub(crate) fn light() {
    if REGISTERED.load(Ordering::Relaxed) {
        compiler_fence(Ordering::SeqCst);
    } else {
        fence(Ordering::SeqCst);
    }
}

/// The rare side's fence. False where the kernel does not grant it: then the caller may miss a
/// wake-up and must look again soon.
#[must_use]
pub(crate) fn heavy() -> bool {
    fence(Ordering::SeqCst);
    membarrier(libc::MEMBARRIER_CMD_GLOBAL_EXPEDITED)
}
