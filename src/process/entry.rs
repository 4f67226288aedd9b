//! Functions of this program, as another process that runs the same executable can find them.
//!
//! A plain function, or a closure without captures, is a type of its own that has no bytes. For each one
//! that is used, the compiler makes a constant, its [`Entry`], and a process names it by its distance
//! from where the executable was loaded, which is the same in every process of that executable.
//!
//! Such a number is not believed. It is one of an entry only if it leads into memory of the executable
//! that never changes, and finds there the mark and the address of a static that is private to this
//! file. Both together are in entries only: of the address alone the linker may make copies, and the
//! mark alone may be a constant of the code. So whoever sends a number can choose among the program's
//! entries, and make it jump nowhere else.
#![allow(unsafe_code)] // a constant by its address, and a value without bytes

use std::ptr;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::parcel::Parcel;
use super::pool::Chunk as Batch;
use crate::os::image::Image;

/// How a function of the program is called from outside. Made for each by the compiler.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Entry {
    mark: [u64; 2],
    anchor: &'static u64,
    name: fn() -> &'static str,
    run: fn(Parcel) -> Result<Parcel, Refusal>,
    run_all: fn(&mut Batch<'_>),
}

/// Random numbers.
const MARK: [u64; 2] = [0x8d1c_07b6_63f2_9ae5, 0x3bd4_f2c8_51a9_6e07];

/// What every entry points to.
static ANCHOR: u64 = MARK[0] ^ MARK[1];

/// Why a function was not called, or its result is not there.
#[derive(Debug)]
pub(crate) enum Refusal {
    Arguments(String),
    Result(String),
}

/// Who carries the constant for one function.
struct Of<F, A, R>(std::marker::PhantomData<fn(F, A) -> R>);

impl<F, A, R> Of<F, A, R>
where
    F: Fn(A) -> R + Copy + Send + Sync + 'static,
    A: DeserializeOwned,
    R: Serialize,
{
    const ENTRY: &'static Entry = &Entry {
        mark: MARK,
        anchor: &ANCHOR,
        name: std::any::type_name::<F>,
        run: Self::run,
        run_all: Self::run_all,
    };

    fn function() -> F {
        const {
            assert!(
                size_of::<F>() == 0,
                "a process runs a plain function or a closure without captures: pass what the \
                 closure captures as an argument"
            );
        }
        // SAFETY: a function or a closure without captures has no bytes, so there is nothing to read.
        // `Entry::of` was given such a value, so the type is not empty, and it may be copied.
        unsafe { ptr::NonNull::<F>::dangling().read() }
    }

    fn run(arguments: Parcel) -> Result<Parcel, Refusal> {
        let arguments = arguments.unpack().map_err(Refusal::Arguments)?;
        Parcel::pack(&Self::function()(arguments)).map_err(Refusal::Result)
    }

    fn run_all(batch: &mut Batch<'_>) {
        batch.run_all(Self::function());
    }
}

impl Entry {
    /// The entry of that function.
    pub(crate) fn of<F, A, R>(_function: F) -> &'static Self
    where
        F: Fn(A) -> R + Copy + Send + Sync + 'static,
        A: DeserializeOwned,
        R: Serialize,
    {
        Of::<F, A, R>::ENTRY
    }

    /// The function's type, which names it.
    pub(crate) fn name(&self) -> &'static str {
        (self.name)()
    }

    /// The number by which another process finds it; None if it is not in the executable.
    pub(crate) fn number(&'static self) -> Option<u64> {
        Image::own()?.offset_of(self)
    }

    /// The entry of that number, if it is one.
    pub(crate) fn find(number: u64) -> Option<&'static Self> {
        let entry = Image::own()?.constant_at::<Self>(number)?;
        // SAFETY: aligned, in memory of the executable that is there as long as it runs and that nobody
        // writes to; any bytes are valid numbers. Nothing else is read before these are known.
        let (mark, anchor) = unsafe {
            let anchor = (&raw const (*entry).anchor).cast::<usize>();
            ((&raw const (*entry).mark).read(), anchor.read())
        };
        if mark != MARK || anchor != (&raw const ANCHOR).addr() {
            return None;
        }
        // SAFETY: only entries have both, see above; they are constants.
        Some(unsafe { &*entry })
    }

    /// Calls the function with these arguments.
    pub(crate) fn run(&self, arguments: Parcel) -> Result<Parcel, Refusal> {
        (self.run)(arguments)
    }

    /// Calls it for each task of a pool's chunk.
    pub(crate) fn run_all(&self, batch: &mut Batch<'_>) {
        (self.run_all)(batch);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn double(n: u64) -> u64 {
        n * 2
    }

    #[test]
    fn functions_are_found_by_their_numbers() {
        let number = Entry::of(double).number().unwrap();
        let other = Entry::of(|text: String| text.len()).number().unwrap();
        let entry = Entry::find(number).unwrap();
        assert!(entry.name().ends_with("double"), "{}", entry.name());
        let result = entry.run(Parcel::pack(&21_u64).unwrap()).unwrap();
        assert_eq!(result.unpack::<u64>(), Ok(42));
        let result = Entry::find(other).unwrap().run(Parcel::pack(&"four").unwrap()).unwrap();
        assert_eq!(result.unpack::<usize>(), Ok(4));
    }

    #[test]
    fn no_other_number_is_one() {
        let right = Entry::of(double).number().unwrap();
        let entries = (0..right + 65536).filter(|number| Entry::find(*number).is_some());
        let entries: Vec<u64> = entries.collect();
        assert!(entries.contains(&right));
        for entry in entries {
            assert!(!Entry::find(entry).unwrap().name().is_empty(), "{entry:#x}");
        }
        for wrong in [right + 1, right + 8, right - 8, u64::MAX, 1 << 63] {
            assert!(Entry::find(wrong).is_none(), "{wrong:#x}");
        }
        // What looks like one, where anybody can write.
        let forged = Box::leak(Box::new(Entry { ..*Entry::find(right).unwrap() }));
        assert!(forged.number().is_none());
    }

    #[test]
    fn wrong_arguments_are_refused() {
        let entry = Entry::of(|text: String| text.len());
        let wrong = Parcel { bytes: vec![200], ..Parcel::default() };
        assert!(matches!(entry.run(wrong), Err(Refusal::Arguments(_))));
    }
}
