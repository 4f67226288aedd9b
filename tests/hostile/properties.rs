//! The properties: no damage does worse than errors.

use proptest::prelude::*;

use crate::change::{changes, length};
use crate::image;
use crate::links;
use crate::worker::{Case, check};

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
fn bytes_that_never_stay_the_same_give_errors() {
    let bytes = image::bytes();
    check(32, changes(&bytes, 1..20).prop_map(Case::During));
}

#[test]
fn damaged_locks_can_be_released_and_their_holders_end() {
    let bytes = image::bytes();
    check(48, links::held(&bytes).prop_map(Case::Held));
}
