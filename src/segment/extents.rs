//! Where in a segment there is room.
//!
//! There is no allocator in shared memory, so there is none that a death could leave broken: the
//! published directory says what is in use, and whoever makes an object (under the directory's
//! lock) computes the gaps from it. That is O(n log n) in the number of objects, for an operation
//! that also makes a system call.

/// A range of bytes that is in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Used {
    pub(crate) start: u64,
    pub(crate) length: u64,
}

/// What every object is aligned to: a cache line.
pub(crate) const ALIGNMENT: u64 = 64;

/// The first place for `length` bytes in a segment of `capacity` bytes; Err if the ranges in use
/// overlap or lie outside, Ok(None) if there is no room.
pub(crate) fn find_gap(
    mut used: Vec<Used>,
    capacity: u64,
    length: u64,
) -> Result<Option<u64>, &'static str> {
    used.sort_unstable();
    let mut free = 0_u64;
    let mut gap = None;
    for range in used {
        if range.start < free {
            return Err("two objects overlap");
        }
        if gap.is_none() && range.start - free >= length {
            gap = Some(free);
        }
        free = range
            .start
            .checked_add(range.length)
            .and_then(|end| end.checked_next_multiple_of(ALIGNMENT))
            .ok_or("an object lies outside of the segment")?;
        if free > capacity.next_multiple_of(ALIGNMENT) {
            return Err("an object lies outside of the segment");
        }
    }
    let last = capacity.checked_sub(free).is_some_and(|rest| rest >= length).then_some(free);
    Ok(gap.or(last))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn used(ranges: &[(u64, u64)]) -> Vec<Used> {
        ranges.iter().map(|&(start, length)| Used { start, length }).collect()
    }

    #[test]
    fn the_first_gap_is_taken() {
        assert_eq!(find_gap(used(&[(0, 100)]), 1024, 64), Ok(Some(128)));
        assert_eq!(find_gap(used(&[(0, 64), (192, 64), (128, 64)]), 1024, 64), Ok(Some(64)));
        assert_eq!(find_gap(used(&[(0, 64), (192, 64), (128, 64)]), 1024, 65), Ok(Some(256)));
    }

    #[test]
    fn full_is_not_an_error() {
        assert_eq!(find_gap(used(&[(0, 1024)]), 1024, 1), Ok(None));
        assert_eq!(find_gap(used(&[(0, 960)]), 1024, 64), Ok(Some(960)));
        assert_eq!(find_gap(used(&[(0, 961)]), 1024, 64), Ok(None));
        assert_eq!(find_gap(used(&[]), 1024, u64::MAX), Ok(None));
    }

    #[test]
    fn contradictions_are_errors() {
        assert!(find_gap(used(&[(0, 128), (64, 64)]), 1024, 64).is_err());
        assert!(find_gap(used(&[(0, 2048)]), 1024, 64).is_err());
        assert!(find_gap(used(&[(64, u64::MAX)]), 1024, 64).is_err());
    }
}
