//! The properties: no damage does worse than errors.

use proptest::prelude::*;
use proptest::sample::select;

use crate::change::{Change, Who, changes, changes_to, changes_to_locks, length};
use crate::image;
use crate::links;
use crate::worker::{Case, check, check_each};

#[test]
fn bytes_damaged_before_opening_give_errors() {
    let bytes = image::bytes();
    check(256, changes(&bytes, 1..5).prop_map(Case::Before));
}

#[test]
fn files_of_another_length_give_errors() {
    let bytes = image::bytes();
    let changes = (changes(&bytes, 0..2), length(), changes(&bytes, 0..2)).prop_map(
        |(mut changes, length, later)| {
            changes.push(length);
            changes.extend(later);
            Case::Before(changes)
        },
    );
    check(100, changes);
}

#[test]
fn bytes_damaged_under_handles_give_errors() {
    let bytes = image::bytes();
    check(256, changes(&bytes, 1..5).prop_map(Case::After));
}

#[test]
fn damage_to_one_object_leaves_the_others_alone() {
    let bytes = image::bytes();
    let case = select(image::objects(&bytes)).prop_flat_map(move |(name, object)| {
        changes_to(&bytes, object, 1..5).prop_map(move |changes| Case::To(name.clone(), changes))
    });
    check(128, case);
}

/// Counts, indices and sizes, each as large as can be: chance alone comes to them too seldom.
#[test]
fn the_largest_number_in_any_word_leaves_other_objects_alone() {
    let bytes = image::bytes();
    let cases = image::objects(&bytes).into_iter().flat_map(|(name, object)| {
        let change = |offset| Change::Word { offset, value: u64::MAX };
        let words = object.plain_words(&bytes).into_iter();
        words.map(move |offset| Case::ToOne(name.clone(), change(offset)))
    });
    check_each(cases);
}

#[test]
fn what_is_read_under_damaged_locks_was_committed() {
    let bytes = image::bytes();
    check(128, changes_to_locks(&bytes, 1..5).prop_map(Case::ToLocks));
}

/// The kernel will never say that such a holder died.
#[test]
fn a_holder_that_there_is_not_holds_nobody_up_whatever_lock_names_it() {
    let bytes = image::bytes();
    let nobody = |offset| Change::Holder { offset, who: Who::Nobody, flags: 0 };
    let locks = image::lock_words(&bytes).into_iter();
    check_each(locks.map(|offset| Case::ToLocks(vec![nobody(offset)])));
}

#[test]
fn bytes_that_never_stay_the_same_give_errors() {
    let bytes = image::bytes();
    check(32, changes(&bytes, 1..20).prop_map(Case::During));
}

#[test]
fn damaged_locks_can_be_released_and_their_holders_end() {
    let bytes = image::bytes();
    check(48, links::held(&bytes).prop_map(Case::Held));
}
