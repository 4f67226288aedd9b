//! A user's crate with strict lints: the generated code must not trip any of them.

#![forbid(unsafe_code)]
#![forbid(missing_docs, missing_debug_implementations, unreachable_pub, deprecated)]
#![deny(warnings, unused, unused_qualifications, single_use_lifetimes, trivial_casts)]
#![deny(unused_results, non_ascii_idents, rust_2018_idioms, let_underscore_drop)]
#![deny(trivial_numeric_casts, variant_size_differences)]

/// A struct.
#[derive(Clone, Copy, Debug, outlive::Shared)]
#[repr(C)]
pub struct Reading {
    /// A field.
    pub celsius: f64,
    /// A field.
    pub sensor: u32,
    /// A nested enum.
    pub state: State,
    /// An array of a nested type.
    pub flags: [Flag; 3],
}

/// An enum.
#[derive(Clone, Copy, Debug, outlive::Shared)]
#[repr(u8)]
pub enum State {
    /// A variant.
    Cold,
    /// A variant.
    Warm = 7,
}

/// A tuple struct.
#[derive(Clone, Copy, Debug, outlive::Shared)]
#[repr(transparent)]
pub struct Flag(pub bool);

mod private {
    #[derive(Clone, Copy, Debug, outlive::Shared)]
    #[repr(C)]
    pub(crate) struct Hidden {
        pub(crate) inner: super::Flag,
        at: [u8; 2],
    }

    impl Hidden {
        pub(crate) const fn new() -> Self {
            Hidden { inner: super::Flag(true), at: [0; 2] }
        }

        pub(crate) const fn at(&self) -> [u8; 2] {
            self.at
        }
    }
}

fn is_shared<T: outlive::Shared>() -> u64 {
    T::TYPE_TAG
}

fn main() {
    let state = if is_shared::<Reading>() == 0 { State::Cold } else { State::Warm };
    assert!(matches!(state, State::Warm));
    let hidden = private::Hidden::new();
    assert!(hidden.inner.0 && hidden.at() == [0; 2]);
    assert_ne!(is_shared::<private::Hidden>(), is_shared::<Flag>());
}
