//! Attributes that make an object process-shared.

// Each pair of functions belongs to an attribute type, which they alone use.
#![allow(unsafe_code)]

use std::mem::MaybeUninit;

use super::check;
use crate::support::Result;

/// Defines a function that calls `use_it` with process-shared attributes of a type.
macro_rules! shared_attributes {
    ($name:ident, $type:ident, $init:ident, $share:ident, $destroy:ident) => {
        pub(super) fn $name(use_it: impl FnOnce(*mut libc::$type) -> Result<()>) -> Result<()> {
            let mut attributes = MaybeUninit::<libc::$type>::uninit();
            let at = attributes.as_mut_ptr();
            // SAFETY: initialised by the first call, used by the others, destroyed by the last.
            unsafe {
                check(libc::$init(at), stringify!($init))?;
                check(libc::$share(at, libc::PTHREAD_PROCESS_SHARED), stringify!($share))?;
                let done = use_it(at);
                libc::$destroy(at);
                done
            }
        }
    };
}

shared_attributes!(
    for_mutex,
    pthread_mutexattr_t,
    pthread_mutexattr_init,
    pthread_mutexattr_setpshared,
    pthread_mutexattr_destroy
);
shared_attributes!(
    for_rwlock,
    pthread_rwlockattr_t,
    pthread_rwlockattr_init,
    pthread_rwlockattr_setpshared,
    pthread_rwlockattr_destroy
);
shared_attributes!(
    for_condvar,
    pthread_condattr_t,
    pthread_condattr_init,
    pthread_condattr_setpshared,
    pthread_condattr_destroy
);
shared_attributes!(
    for_barrier,
    pthread_barrierattr_t,
    pthread_barrierattr_init,
    pthread_barrierattr_setpshared,
    pthread_barrierattr_destroy
);
