//! Any bytes in a segment, and any operations on it while they change: errors at worst.
//!
//! An input says what memory the segment is in (`memory`), which bytes of a good segment (`image`)
//! are damaged before it is opened, and then which operations run and which further bytes change
//! between them (`input`, `operations`, `containers`, `sync_operations`). Nothing sleeps for longer than 50 µs, see
//! `locks`, except that who waits for permits or parties gives each of them that names a dead thread
//! 10 ms to prove that it lives.

#![no_main]

mod channels;
mod containers;
mod image;
mod input;
mod locks;
mod memory;
mod objects;
mod operations;
mod sync_operations;

use libfuzzer_sys::fuzz_target;

use input::{Input, Step};
use memory::Memory;

fuzz_target!(|input: Input<'_>| {
    let memory = Memory::new(input.kind, input.length);
    for change in &input.before {
        change.apply(&memory);
    }
    locks::free(&memory, locks::DIRECTORY);
    let Some(segment) = memory.open() else { return };
    let mut objects = objects::Objects::default();
    for step in input.steps.iter().take(64) {
        match step {
            Step::Change(change) => change.apply(&memory),
            Step::Find(number) => objects.find(&segment, *number),
            Step::Use { number, operation } => objects.run(&memory, *number, *operation),
            Step::Wait(which) => objects.wait(*which),
            Step::Names(operation) => operations::names(&memory, &segment, *operation),
        }
    }
});
