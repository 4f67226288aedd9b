//! Objects of a segment: create, find-or-create, remove. Which is also allocation and free.

use outlive::{Array, ObjectError, ObjectInfo, Segment};

use crate::case::{Broken, By, Case, Operation, Seen, Verdict, WaitFrom, Waiter, World, hold};

/// Unoptimised code takes a thousand instructions an element.
const LENGTH: usize = if cfg!(debug_assertions) { 16 } else { 2048 };
type Object = Array<u64>;
/// Has the entry and the memory before and after it: of another type, to tell what is left of it.
type Other = Array<i64>;

/// The memory is taken once before, so that what leaks can be told from what grows.
fn setup(world: &World) {
    let segment = world.create();
    cycle(&segment).expect("create and remove");
    world.warm();
    *world.held.borrow_mut() = None;
}

fn setup_with_object(world: &World) {
    setup(world);
    create_object(&world.segment()).expect("create");
}

fn create_object(segment: &Segment) -> Result<Object, ObjectError> {
    segment.create_object("object", (LENGTH, 7))
}

fn cycle(segment: &Segment) -> Verdict {
    drop(segment.find_or_create::<Other>("other", (LENGTH, 8))?);
    segment.remove("other")?;
    Ok(())
}

fn create(world: &World) -> Operation {
    let segment = world.warm();
    Box::new(move || match create_object(&segment) {
        Ok(_) | Err(ObjectError::AlreadyExists { .. }) => {}
        Err(error) => panic!("{error}"),
    })
}

fn find_or_create(world: &World) -> Operation {
    let segment = world.warm();
    Box::new(move || drop(segment.array::<u64>("object", LENGTH, 7).expect("find or create")))
}

fn remove(world: &World) -> Operation {
    let segment = world.warm();
    Box::new(move || match segment.remove("object") {
        Ok(()) | Err(ObjectError::NotFound { .. }) => {}
        Err(error) => panic!("{error}"),
    })
}

fn repair(world: &World) -> Operation {
    let segment = world.warm();
    Box::new(move || drop(cycle(&segment)))
}

/// Needs the directory's lock, which the victim may hold.
fn wait(world: &World) -> u64 {
    cycle(&world.segment()).map(|()| 1).expect("the waiter's objects")
}

/// Whether the object is there; if so, it is whole.
fn there(world: &World) -> Result<bool, Broken> {
    match world.segment().find::<Object>("object") {
        Ok(object) => {
            let all = object.to_vec()?;
            hold!(Torn, all.len() == LENGTH && all.iter().all(|word| *word == 7), "{all:?}");
            Ok(true)
        }
        Err(ObjectError::NotFound { .. }) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

fn created(world: &World, seen: &Seen) -> Verdict {
    let found = there(world)?;
    hold!(Lost, found || seen.completed == 0, "no object after a complete creation");
    settled(world, found)
}

fn removed(world: &World, seen: &Seen) -> Verdict {
    let found = there(world)?;
    hold!(Lost, !found || seen.completed == 0, "an object after a complete removal");
    settled(world, found)
}

fn settled(world: &World, found: bool) -> Verdict {
    let segment = world.segment();
    let entry = entry(&segment)?;
    let listed = segment.objects()?.len();
    let expected = 1 + usize::from(found) + leftover(&segment)?;
    hold!(Leaked, listed == expected, "{listed} objects, not {expected}");
    if !found {
        create_object(&segment)?;
    }
    there(world)?;
    segment.remove("object")?;
    create_object(&segment)?;
    let whole = self::entry(&segment)?;
    hold!(Torn, entry.is_none() || entry == whole, "{entry:?}, not {whole:?}");
    segment.remove("object")?;
    Ok(())
}

/// What the directory says about the object.
fn entry(segment: &Segment) -> Result<Option<ObjectInfo>, Broken> {
    Ok(segment.objects()?.into_iter().find(|info| info.name == "object"))
}

/// The object of a repair that a death interrupted.
fn leftover(segment: &Segment) -> Result<usize, Broken> {
    match segment.find::<Other>("other") {
        Ok(_) => Ok(1),
        Err(ObjectError::NotFound { .. }) => Ok(0),
        Err(error) => Err(error.into()),
    }
}

fn usage(world: &World, rounds: usize) -> Verdict {
    let segment = world.segment();
    cycle(&segment)?;
    let before = segment.committed()?;
    for _ in 0..rounds / 10 {
        drop(create_object(&segment)?);
        cycle(&segment)?;
        segment.remove("object")?;
    }
    let after = segment.committed()?;
    // Room for the two objects, and no more than that.
    let room = 4 * (LENGTH as u64) * 8 + (64 << 10);
    hold!(Leaked, after <= before + room, "{before} bytes became {after}");
    hold!(Leaked, after <= 4 * room, "{after} bytes in use for nothing");
    Ok(())
}

pub(super) fn cases() -> Vec<Case> {
    let base = || Case {
        name: "object-create",
        heavy: true,
        setup,
        by: By::FirstThread,
        operation: create,
        unblock: None,
        waiter: Some(Waiter { from: WaitFrom::Kill, wait, release: |_| {} }),
        peer: true,
        repair: Some(repair),
        contract: created,
        usage,
    };
    vec![
        base(),
        Case { name: "object-find-or-create", operation: find_or_create, ..base() },
        Case { name: "object-find", setup: setup_with_object, operation: find_or_create, ..base() },
        Case {
            name: "object-remove",
            setup: setup_with_object,
            operation: remove,
            contract: removed,
            ..base()
        },
    ]
}
