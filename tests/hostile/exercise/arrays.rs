//! Arrays.

use std::fmt::Debug;
use std::hint::black_box;

use outlive::{Array, AtomicElement, Shared};

use super::{SHORT, outcome, tried};

pub(crate) fn any<T: Shared + Debug>(array: &Array<T>, new: T) {
    let length = array.len();
    black_box(array.is_empty());
    for index in [0, 1, length / 2, length.wrapping_sub(1), length, usize::MAX] {
        tried(array.get(index));
        tried(array.set(index, new));
    }
    tried(array.to_vec());
    let mut some = [new; 3];
    for start in [0, 1, length, usize::MAX] {
        tried(array.read(start, &mut some));
        tried(array.write(start, &some));
        tried(array.write(start, &some[..1]));
    }
    array.iter().rev().take(100).for_each(tried);
    tried(array.update(.., |elements| elements.fill(new)));
    tried(array.update(1..=2, |elements| elements.reverse()));
    tried(array.update(length.., |elements| elements.len()));
    tried(array.update(..=usize::MAX, |elements| elements.len()));
    if let Some(mut guard) = outcome(array.try_lock()) {
        guard.reverse();
        guard.commit();
    }
    if let Some(mut guard) = outcome(array.lock_timeout(SHORT)) {
        guard.fill(new);
        guard.rollback();
    }
    drop(outcome(array.lock()));
    black_box(format!("{array:?} {:?}", array.clone()));
}

pub(crate) fn atomic<T: AtomicElement + Debug>(array: &Array<T>, new: T) {
    for index in [0, array.len().wrapping_sub(1), array.len(), usize::MAX] {
        tried(array.load(index));
        tried(array.store(index, new));
        tried(array.swap(index, new));
        tried(array.fetch_add(index, new));
        tried(array.fetch_min(index, new));
        tried(array.fetch_max(index, new));
        tried(array.compare_exchange(index, new, new));
    }
}
