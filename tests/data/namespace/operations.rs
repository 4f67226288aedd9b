//! What each operation does, seen through two mappings.

use outlive::{
    LockError, Map, Namespace, NamespaceError, ObjectError, Segment, Shared, Text, Value,
};

use crate::{segment, unwind};

#[derive(Debug, Clone, Copy, PartialEq, Shared)]
#[repr(C)]
struct Point {
    x: f64,
    y: f64,
}

fn namespaces(what: &str) -> (Segment, Namespace, Namespace) {
    let (segment, name) = segment(what);
    let space = segment.namespace("n", 5).expect("namespace");
    let other = Segment::open(&name).expect("open").find("n").expect("find");
    (segment, space, other)
}

fn not_found(name: &str) -> NamespaceError {
    Namespace::<64>::get::<u8>(&empty(), name).expect_err("nothing is in it")
}

fn empty() -> Namespace {
    Segment::anonymous().expect("segment").namespace("empty", 1).expect("namespace")
}

#[test]
fn attributes_have_types_of_their_own() {
    let (_segment, space, other) = namespaces("namespace-types");
    let point = Point { x: 1.5, y: -2.0 };
    assert_eq!((space.len(), space.is_empty(), space.capacity()), (0, true, 5));
    space.set("x", &-7_i64).expect("set");
    other.set("point", &point).expect("set");
    other.set("Zoë's name", &Text::<20>::new("Zoë").expect("short")).expect("set");
    space.set("flag", &true).expect("set");
    space.set("", &'x').expect("set");
    assert_eq!((other.get("x"), space.get("point")), (Ok(-7_i64), Ok(point)));
    assert_eq!(space.get::<Text<20>>("Zoë's name").expect("get").as_str(), "Zoë");
    assert_eq!((other.get("flag"), other.get("")), (Ok(true), Ok('x')));
    assert_eq!(
        other.names(),
        Ok(["", "Zoë's name", "flag", "point", "x"].map(String::from).into())
    );
    assert_eq!((other.contains("x"), other.contains("y"), other.len()), (Ok(true), Ok(false), 5));
    assert_eq!(other.update("x", |x: &mut i64| std::mem::replace(x, 8)), Ok(-7));
    assert_eq!(space.get("x"), Ok(8_i64));
    // Of another type from now on.
    space.set("x", &[1_u8, 2, 3]).expect("set");
    assert_eq!(other.get("x"), Ok([1_u8, 2, 3]));
    assert_eq!((other.remove("x"), space.remove("x"), space.len()), (Ok(true), Ok(false), 4));
    assert_eq!(other.get::<i64>("x"), Err(not_found("x")));
    assert_eq!((other.clear(), space.names()), (Ok(()), Ok(vec![])));
}

#[test]
fn another_type_is_refused_and_both_are_told() {
    let (_segment, space, _other) = namespaces("namespace-mismatch");
    space.set("p", &Point { x: 1.0, y: 2.0 }).expect("set");
    let refused = |expected: &str| NamespaceError::TypeMismatch {
        name: "p".into(),
        found: "Point".into(),
        expected: expected.into(),
    };
    assert_eq!(space.get::<[f64; 2]>("p"), Err(refused("[f64; 2]")));
    assert_eq!(space.update("p", |_: &mut u128| panic!("it is none")), Err(refused("u128")));
    assert_eq!(space.get_or_set("p", &5_u8), Err(refused("u8")));
    let text = refused("u8").to_string();
    assert!(text.contains("Point") && text.contains("u8") && text.contains("\"p\""), "{text}");
    // Same size, same name, other fields.
    mod elsewhere {
        #[derive(Debug, Clone, Copy, PartialEq, outlive::Shared)]
        #[repr(C)]
        pub(super) struct Point {
            pub(super) x: f64,
            pub(super) z: f64,
        }
    }
    assert_eq!(space.get::<elsewhere::Point>("p"), Err(refused("Point")));
    assert_eq!(space.get("p"), Ok(Point { x: 1.0, y: 2.0 }));
}

#[test]
fn the_first_one_sets_what_all_get() {
    let (_segment, space, other) = namespaces("namespace-first");
    assert_eq!((space.get_or_set("n", &1_u32), other.get_or_set("n", &2_u32)), (Ok(1), Ok(1)));
    assert_eq!(other.get("n"), Ok(1_u32));
    let absent = space.update("m", |_: &mut u32| panic!("there is none"));
    assert_eq!(absent, Err(not_found("m")));
}

#[test]
fn what_does_not_fit() {
    let (segment, space, _other) = namespaces("namespace-full");
    let small: Namespace<8> = segment.namespace("small", 2).expect("namespace");
    small.set("a", &[1_u8; 8]).expect("as large as can be");
    let too_large = NamespaceError::TooLarge { name: "a".into(), size: 9, limit: 8 };
    assert_eq!(small.set("a", &[1_u8; 9]), Err(too_large.clone()));
    assert_eq!(small.get_or_set("a", &[1_u8; 9]), Err(too_large));
    small.set("b", &1_u8).expect("room");
    let full = NamespaceError::Full { name: "c".into() };
    assert_eq!(
        (small.set("c", &1_u8), small.get_or_set("c", &1_u8)),
        (Err(full.clone()), Err(full))
    );
    small.set("b", &2_u8).expect("setting one that is there takes no room");
    assert_eq!((small.get("a"), small.get("b")), (Ok([1_u8; 8]), Ok(2_u8)));
    let long = "n".repeat(63);
    let too_long = NamespaceError::NameTooLong { name: long.clone(), limit: 62 };
    assert_eq!(space.set(&long, &1_u8), Err(too_long.clone()));
    assert_eq!(
        (space.get::<u8>(&long), space.contains(&long)),
        (Err(too_long.clone()), Err(too_long.clone()))
    );
    assert_eq!(space.remove(&long), Err(too_long));
    space.set(&long[1..], &1_u8).expect("62 bytes");
    assert_eq!(space.names(), Ok(vec![long[1..].to_owned()]));
}

/// Of which only a part is kept, at the boundary of a character.
#[test]
fn the_name_of_a_type_may_be_long() {
    #[derive(Debug, Clone, Copy, PartialEq, Shared)]
    #[repr(transparent)]
    struct ATypeWithANameOfMoreThanFiftyFourBytesÄÖÜWhichIsLong(u8);
    let (_segment, space, _other) = namespaces("namespace-long");
    space.set("a", &ATypeWithANameOfMoreThanFiftyFourBytesÄÖÜWhichIsLong(1)).expect("set");
    let Err(NamespaceError::TypeMismatch { found, .. }) = space.get::<u8>("a") else {
        panic!("of another type");
    };
    assert!(
        found.len() > 50
            && "ATypeWithANameOfMoreThanFiftyFourBytesÄÖÜWhichIsLong".starts_with(&found)
    );
    assert_eq!(space.get("a"), Ok(ATypeWithANameOfMoreThanFiftyFourBytesÄÖÜWhichIsLong(1)));
}

#[test]
fn a_panic_leaves_the_old_value_and_the_attribute_free() {
    let (_segment, space, _other) = namespaces("namespace-panic");
    space.set("a", &1_u8).expect("set");
    unwind(|panic| {
        let changed = space.update("a", |value: &mut u8| {
            *value = 2;
            panic.now();
        });
        changed.expect("update");
    });
    assert_eq!(space.update("a", |value: &mut u8| *value), Ok(1));
    // From within itself it would wait for ever.
    let inner = space.update("a", |_: &mut u8| space.set("a", &3_u8)).expect("update");
    assert_eq!(inner, Err(NamespaceError::Lock(LockError::Deadlock)));
}

#[test]
fn shapes_that_cannot_be() {
    let (segment, _name) = segment("namespace-shape");
    for capacity in [0, usize::MAX] {
        let space = segment.namespace::<8>("n", capacity).map(drop);
        assert!(matches!(space, Err(ObjectError::InvalidShape { .. })), "{space:?}");
    }
    segment.namespace::<8>("n", 3).expect("namespace");
    let mismatch = segment.namespace::<8>("n", 4).map(drop);
    assert!(matches!(mismatch, Err(ObjectError::ShapeMismatch { found: 3, .. })), "{mismatch:?}");
    for error in [
        segment.namespace::<9>("n", 3).map(drop),
        segment.find::<Map<u64, u64>>("n").map(drop),
        segment.find::<Value<u64>>("n").map(drop),
    ] {
        let Err(ObjectError::TypeMismatch { found, .. }) = &error else { panic!("{error:?}") };
        assert_eq!(found, "Namespace<8>");
    }
}

#[test]
fn read_only_handles_read() {
    let (segment, name) = segment("namespace-read-only");
    segment.namespace::<64>("n", 3).expect("namespace").set("a", &5_u8).expect("set");
    let reader = Segment::options().read_only(true).open(&name).expect("open");
    let reader: Namespace = reader.find("n").expect("find");
    assert_eq!((reader.get("a"), reader.len()), (Ok(5_u8), 1));
    let refused = Err(NamespaceError::Lock(LockError::ReadOnly));
    assert_eq!((reader.set("a", &6_u8), reader.clear()), (refused.clone(), refused));
}
