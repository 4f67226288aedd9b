//! Segments: creation, joining, validation, leaving; and their directories.

#[path = "../support/mod.rs"]
#[macro_use]
mod support;

mod anonymous;
mod directory;
mod fork;
mod lifecycle;
mod limits;
mod options;
mod permissions;
mod readers;
mod validation;

roles! {
    "race": lifecycle::race,
    "create-and-wait": lifecycle::create_and_wait,
    "open-and-wait": lifecycle::open_and_wait,
    "create-in-a-loop": lifecycle::create_in_a_loop,
    "full-tmpfs": limits::full_tmpfs,
    "other-user": permissions::other_user,
    "last-reader": permissions::last_reader,
    "create-unwritable": permissions::create_unwritable,
    "reader": readers::reader,
    "anonymous-child": anonymous::child,
    "cut-short": anonymous::cut_short,
    "read-only-child": anonymous::read_only_child,
    "create-objects": directory::create_objects,
    "churn-objects": directory::churn_objects,
    "hold-object": directory::hold_object,
    "fork-handles": fork::handles,
    "fork-detach": fork::detach,
}
