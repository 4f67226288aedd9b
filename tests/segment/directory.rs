//! Named objects: created once, found by all, removed without harm.

use outlive::{
    Array, AtomicCounter, Counter, Event, Mutex, ObjectError, ObjectKind, Queue, Reset, Segment,
    Value,
};

use crate::support::{Peer, await_death, no_spawning, say, unique, wait_for_go, watchdog};

/// `create-objects NAME ROUNDS`: finds or creates `object-0`, `object-1`, ... at the parent's word.
pub(crate) fn create_objects(arguments: &[String]) {
    let [name, rounds] = arguments else { panic!("create-objects NAME ROUNDS") };
    let segment = Segment::open(name).unwrap();
    say("ready");
    for round in 0..rounds.parse::<u32>().unwrap() {
        wait_for_go();
        let value = segment.value(&format!("object-{round}"), std::process::id()).unwrap();
        say(&value.get().unwrap().to_string());
    }
}

#[test]
fn of_racing_processes_exactly_one_initialises() {
    const ROUNDS: u32 = 300;
    let name = unique("objects");
    let segment = Segment::create(&name).unwrap();
    let rounds = ROUNDS.to_string();
    let mut peers: Vec<_> =
        (0..4).map(|_| Peer::spawn("create-objects", &[&name, &rounds])).collect();
    peers.iter_mut().for_each(|peer| peer.expect("ready"));
    for round in 0..ROUNDS {
        peers.iter_mut().for_each(|peer| peer.tell("go"));
        let said: Vec<_> = peers.iter_mut().map(Peer::hear).collect();
        assert!(said.windows(2).all(|pair| pair[0] == pair[1]), "round {round}: {said:?}");
    }
    peers.into_iter().for_each(Peer::join);
    // Also beyond the first block of the directory.
    assert_eq!(segment.objects().unwrap().len(), ROUNDS as usize);
    for round in 0..ROUNDS {
        assert!(segment.find::<Value<u32>>(&format!("object-{round}")).is_ok());
    }
}

#[test]
fn find_create_and_find_or_create_differ_as_they_say() {
    let segment = Segment::anonymous().unwrap();
    let missing = segment.find::<Value<i32>>("v").unwrap_err();
    assert_eq!(missing, ObjectError::NotFound { name: "v".to_owned() });
    segment.create_object::<Value<i32>>("v", 4).unwrap();
    let twice = segment.create_object::<Value<i32>>("v", 5).unwrap_err();
    assert_eq!(twice, ObjectError::AlreadyExists { name: "v".to_owned() });
    assert_eq!(segment.find::<Value<i32>>("v").unwrap().get().unwrap(), 4);
    assert_eq!(segment.value("v", 9).unwrap().get().unwrap(), 4);
}

#[test]
fn another_type_is_an_error_that_names_both() {
    let segment = Segment::anonymous().unwrap();
    segment.value("v", 4_i32).unwrap();
    let check = |error: ObjectError, expected: &str| {
        assert!(matches!(error, ObjectError::TypeMismatch { .. }), "{error:?}");
        let text = error.to_string();
        assert!(text.contains("Value<i32>") && text.contains(expected), "{text}");
    };
    check(segment.value("v", 4_u32).unwrap_err(), "Value<u32>");
    check(segment.find::<Mutex<i32>>("v").unwrap_err(), "Mutex<i32>");
    check(segment.find::<Counter>("v").unwrap_err(), "Counter");
    check(segment.find::<AtomicCounter>("v").unwrap_err(), "AtomicCounter");
    check(segment.find::<Array<[i32; 2]>>("v").unwrap_err(), "Array<[i32; 2]>");
    check(segment.find::<Queue<i32>>("v").unwrap_err(), "Queue<i32>");
    check(segment.find::<Event>("v").unwrap_err(), "Event");

    mod one {
        #[derive(Clone, Copy, outlive::Shared)]
        #[repr(C)]
        pub(super) struct Point {
            pub(super) x: f32,
            pub(super) y: f32,
        }
    }
    mod two {
        #[derive(Clone, Copy, outlive::Shared)]
        #[repr(C)]
        pub(super) struct Point {
            pub(super) y: f32,
            pub(super) x: f32,
        }
    }
    segment.value("p", one::Point { x: 1.0, y: 2.0 }).unwrap();
    let error = segment.value("p", two::Point { x: 1.0, y: 2.0 }).unwrap_err().to_string();
    assert!(error.contains("x: f32, y: f32") && error.contains("y: f32, x: f32"), "{error}");
}

#[test]
fn another_shape_is_an_error_that_names_both() {
    let segment = Segment::anonymous().unwrap();
    segment.array("a", 10, 0_u8).unwrap();
    segment.queue::<u8>("q", 10).unwrap();
    segment.event("e", Reset::Auto).unwrap();
    let error = segment.array("a", 20, 0_u8).unwrap_err().to_string();
    assert!(error.contains("10") && error.contains("20") && error.contains("length"), "{error}");
    let error = segment.queue::<u8>("q", 20).unwrap_err().to_string();
    assert!(error.contains("10") && error.contains("20") && error.contains("capacity"), "{error}");
    assert!(segment.event("e", Reset::Manual).is_err());
    assert_eq!(segment.find::<Array<u8>>("a").unwrap().len(), 10);
}

#[test]
fn the_list_says_what_there_is() {
    let segment = Segment::anonymous().unwrap();
    segment.value("v", [1_u8; 3]).unwrap();
    segment.event("e", Reset::Auto).unwrap();
    let mut objects = segment.objects().unwrap();
    objects.sort_by(|a, b| a.name.cmp(&b.name));
    let [event, value] = objects.as_slice() else { panic!("{objects:?}") };
    assert_eq!((event.name.as_str(), event.kind), ("e", Some(ObjectKind::Event)));
    assert_eq!((value.name.as_str(), value.kind), ("v", Some(ObjectKind::Value)));
    assert_eq!(value.type_name, "Value<[u8; 3]>");
}

#[test]
fn names_of_objects_have_limits_that_are_told() {
    let segment = Segment::anonymous().unwrap();
    for bad in ["", "a\0b", &"n".repeat(89)] {
        let error = segment.value(bad, 1_u8).unwrap_err();
        assert!(matches!(error, ObjectError::InvalidName { limit: 88, .. }), "{error:?}");
    }
    segment.value(&"n".repeat(88), 1_u8).unwrap();
    segment.value("ümlaut / slash", 1_u8).unwrap();
    assert_eq!(segment.objects().unwrap().len(), 2);
}

#[test]
fn memory_of_removed_objects_is_used_again_and_given_back() {
    watchdog();
    let _quiet = no_spawning();
    let segment = Segment::options().capacity(4 << 20).anonymous().unwrap();
    for round in 0..200 {
        let array = segment.array("a", 1 << 20, 1_u8).unwrap();
        assert_eq!(array.get(round).unwrap(), 1, "a new object is initialised");
        array.set(round, 2).unwrap();
        drop(array);
        segment.remove("a").unwrap();
        let committed = segment.committed().unwrap();
        assert!(committed < 64 << 10, "round {round}: {committed}");
    }
    let again = segment.remove("a").unwrap_err();
    assert!(matches!(again, ObjectError::NotFound { .. }));
}

#[test]
fn a_removed_object_lives_on_for_those_who_have_it() {
    let _quiet = no_spawning();
    let segment = Segment::options().capacity(4 << 20).anonymous().unwrap();
    let old = segment.array("a", 1 << 20, 7_u8).unwrap();
    segment.remove("a").unwrap();
    // Same name, other memory.
    let error = segment.array("a", 1 << 20, 8_u8).unwrap_err();
    assert!(matches!(error, ObjectError::SegmentFull { .. }), "the old one still takes its room");
    let new = segment.array("a", 1000, 8_u8).unwrap();
    old.set(0, 1).unwrap();
    assert_eq!(new.get(0).unwrap(), 8);
    assert_eq!(old.get(1).unwrap(), 7);
    drop(old);
    segment.remove("a").unwrap();
    drop(new);
    assert!(segment.array("b", 1 << 20, 9_u8).is_ok());
}

/// `hold-object NAME`: has a handle to `a` until it is killed.
pub(crate) fn hold_object(arguments: &[String]) {
    let [name] = arguments else { panic!("hold-object NAME") };
    let segment = Segment::open(name).unwrap();
    let array = segment.find::<Array<u8>>("a").unwrap();
    say("holding");
    wait_for_go();
    assert_eq!(array.get(5).unwrap(), 7);
    say("whole");
    await_death();
}

#[test]
fn another_process_keeps_a_removed_object_until_it_dies() {
    let name = unique("pinned");
    let segment = Segment::options().capacity(4 << 20).create(&name).unwrap();
    drop(segment.array("a", 1 << 20, 7_u8).unwrap());
    let mut peer = Peer::spawn("hold-object", &[&name]);
    peer.expect("holding");
    let _quiet = no_spawning();
    segment.remove("a").unwrap();
    let full = segment.array("b", 1 << 20, 8_u8).unwrap_err();
    assert!(matches!(full, ObjectError::SegmentFull { .. }), "{full:?}");
    peer.tell("look");
    peer.expect("whole");
    peer.kill();
    assert!(segment.array("b", 1 << 20, 8_u8).is_ok(), "the kernel let go of it");
}

/// `churn-objects NAME`: creates, uses and removes objects for ever.
pub(crate) fn churn_objects(arguments: &[String]) {
    let [name] = arguments else { panic!("churn-objects NAME") };
    let segment = Segment::open(name).unwrap();
    say("ready");
    let mut round = 0_u32;
    loop {
        round = round.wrapping_add(1);
        let object = format!("churn-{}", round % 20);
        let array = match segment.array(&object, 100, round) {
            Ok(array) => array,
            Err(ObjectError::ShapeMismatch { .. } | ObjectError::NotFound { .. }) => continue,
            Err(other) => panic!("{other:?}"),
        };
        let seen = array.to_vec().unwrap();
        assert!(seen.iter().all(|element| *element == seen[0]), "half-initialised: {seen:?}");
        match segment.remove(&object) {
            Ok(()) | Err(ObjectError::NotFound { .. }) => {}
            Err(other) => panic!("{other:?}"),
        }
    }
}

#[test]
fn killed_anywhere_the_directory_stays_whole_and_leaks_nothing() {
    let name = unique("churn");
    let segment = Segment::options().capacity(1 << 20).create(&name).unwrap();
    let keep = segment.value("keep", 42_u64).unwrap();
    for _ in 0..40 {
        let mut peers = [(); 2].map(|()| Peer::spawn("churn-objects", &[&name]));
        peers.iter_mut().for_each(|peer| peer.expect("ready"));
        for round in 0..30_u64 {
            let value = segment.value("mine", round).unwrap();
            assert_eq!(value.get().unwrap(), round);
            drop(value);
            segment.remove("mine").unwrap();
        }
        peers.into_iter().for_each(Peer::kill);
        assert_eq!(keep.get().unwrap(), 42);
    }
    let _quiet = no_spawning();
    for object in segment.objects().unwrap() {
        if object.name != "keep" {
            segment.remove(&object.name).unwrap();
        }
    }
    // Everything is free again: one object can have nearly all of it.
    let array = segment.array("all", 500 << 10, 0_u8).unwrap();
    assert_eq!(array.len(), 500 << 10);
}
