//! Publication: who finds a live entry finds its fields and the object complete, whatever was in
//! that entry before, and wherever a creator died. Part of `segment::directory`.

use super::{Deadline, Directory, FREE, GENERATION, LIVE, REMOVED, STATE, Snapshot, is_free};
use crate::Segment;
use crate::layout::{BLOCK_ENTRIES, Block, Entry, FIRST_ENTRIES, FIRST_PAGE, FirstPage};
use crate::model::membarrier::nobody_sleeps;
use crate::model::run::{
    Kernel, begin_with, begin_within, check, let_others_go_first, model, mortal, process,
    with_death,
};
use crate::raw::lock::{Acquired, Release};
use crate::seam::atomic::AtomicU64;
use std::sync::atomic::Ordering;

type Page = &'static FirstPage;

fn entry(page: &FirstPage) -> &Entry {
    page.entries.first().expect("an entry")
}

/// Stands for an object's memory.
fn payload(page: Page) -> &'static AtomicU64 {
    page.header.more.first().expect("a word")
}

fn page() -> Page {
    begin_with::<FirstPage>(|page| {
        page.header.directory.reset();
        // Loom is to know the sizes of its words.
        let _fresh = entry(page).snapshot();
    })
}

/// What `Directory::create` does: makes the object, then the entry; all fields say which one it is.
fn create(page: Page, number: u64) {
    let lock = &page.header.directory;
    if lock.lock(Deadline::NEVER).expect("the lock") == Acquired::OwnerDied {
        lock.mark_consistent();
    }
    let entry = entry(page);
    let state = entry.state.load(Ordering::Relaxed);
    if state & STATE == FREE {
        payload(page).store(number, Ordering::Relaxed);
        let fields = Snapshot {
            state: (state & !STATE) | LIVE,
            offset: number,
            size: number,
            type_tag: number,
            kind: number as u32,
            lengths: number as u32,
            name: [number; _],
            type_name: [number; _],
        };
        entry.fill(&fields);
        entry.publish(fields.state);
    }
    lock.unlock(Release::Clean);
}

/// What `Directory::remove` and the reclamation after it do.
fn remove_and_free(page: Page) {
    let lock = &page.header.directory;
    if lock.lock(Deadline::NEVER).expect("the lock") == Acquired::OwnerDied {
        lock.mark_consistent();
    }
    let entry = entry(page);
    let state = entry.state.load(Ordering::Relaxed);
    if state & STATE == LIVE {
        entry.publish((state & !STATE) | REMOVED);
        entry.publish((state & !STATE).wrapping_add(GENERATION) | FREE);
    }
    lock.unlock(Release::Clean);
}

/// The object that a reader finds, which has to be all of one.
fn find(page: Page) -> Option<u64> {
    let found = entry(page).snapshot().filter(|found| found.is(LIVE))?;
    let number = found.offset;
    let fields = [
        found.size,
        found.type_tag,
        u64::from(found.kind),
        u64::from(found.lengths),
        *found.name.first().expect("a word"),
        *found.type_name.first().expect("a word"),
    ];
    assert_eq!(fields, [number; 6], "a mixture");
    Some(number)
}

#[test]
fn a_live_entry_and_its_object_are_complete() {
    model(|| {
        let page = page();
        nobody_sleeps();
        let other = process(1, move || create(page, 1));
        if find(page).is_some() {
            assert_eq!(payload(page).load(Ordering::Relaxed), 1, "an object half made");
        }
        other.join().expect("a process");
        assert_eq!(find(page), Some(1));
    });
}

/// The same entry is used again while somebody reads it.
#[test]
fn an_entry_used_again_is_not_mixed_with_what_it_was() {
    model(|| {
        let page = page();
        create(page, 1);
        // Who finds takes no lock: no fence helps.
        nobody_sleeps();
        let other = process(1, move || {
            remove_and_free(page);
            create(page, 2);
        });
        find(page);
        other.join().expect("a process");
        assert_eq!(find(page), Some(2));
    });
}

#[test]
fn of_two_creators_one_succeeds() {
    model(|| {
        let page = page();
        let other = process(1, move || create(page, 1));
        create(page, 2);
        let found = find(page);
        other.join().expect("a process");
        assert!(found.is_some() && find(page) == found);
    });
}

#[test]
fn a_death_of_a_creator() {
    with_death(|mortality| {
        let page = page();
        let dying = mortal(1, &mortality, Kernel::Reports, move || create(page, 1));
        create(page, 2);
        let lived = dying.join().expect("a process").is_some();
        let found = find(page);
        assert!(found.is_some(), "no object after two creations, {lived}");
        assert_eq!(payload(page).load(Ordering::Relaxed), found.expect("an object"));
    });
}

/// Who sees a further block of entries sees it empty, whatever lay there before.
#[test]
fn a_block_that_was_added_is_whole() {
    check(1, || {
        let segment = Segment::anonymous().expect("a segment");
        let attachment = &segment.attachment;
        let block = attachment.at::<Block>(FIRST_PAGE).expect("room");
        block.next.store(1, Ordering::Relaxed);
        block.entries.iter().for_each(|entry| entry.state.store(LIVE, Ordering::Relaxed));
        let page = attachment.at::<FirstPage>(0).expect("a page");
        // Loom is to know the sizes of its words.
        let entries = page.entries.iter().chain(&block.entries);
        entries.for_each(|entry| assert!(entry.snapshot().is_some()));
        let base = attachment.base().addr().get();
        drop(Directory::of(attachment).lock("").expect("the lock"));
        begin_within(base..base + FIRST_PAGE as usize + size_of::<Block>());
        nobody_sleeps();
        let theirs = segment.clone();
        let other = process(1, move || {
            let directory = Directory::of(&theirs.attachment);
            let _locked = directory.lock("").expect("the lock");
            let chain = directory.chain().expect("a chain");
            directory.grow(&chain, "").expect("room");
        });
        let_others_go_first();
        let seen = Directory::of(attachment).chain().expect("a chain");
        assert!(seen.entries.iter().all(|(_, entry)| is_free(entry)));
        other.join().expect("a process");
        let grown = Directory::of(attachment).chain().expect("a chain");
        assert_eq!(grown.entries.len(), FIRST_ENTRIES + BLOCK_ENTRIES);
    });
}
