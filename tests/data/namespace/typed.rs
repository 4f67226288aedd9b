//! Attributes of serde types.

use std::collections::BTreeMap;

use outlive::{Namespace, NamespaceError};
use serde::{Deserialize, Serialize};

use crate::segment;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Config {
    host: String,
    ports: Vec<u16>,
    limits: Option<BTreeMap<String, f64>>,
}

fn config() -> Config {
    let limits = [("cpu".to_owned(), 0.5)].into();
    Config { host: "a.example".into(), ports: vec![80, 443], limits: Some(limits) }
}

#[test]
fn values_of_any_type() {
    let (segment, _name) = segment("namespace-serde");
    let space: Namespace<100> = segment.namespace("n", 5).expect("namespace");
    space.set_typed("config", &config()).expect("set");
    space.set_typed("words", &vec!["one".to_owned(), String::new()]).expect("set");
    space.set_typed("unit", &()).expect("set");
    assert_eq!((space.get_typed("config"), space.get_typed("unit")), (Ok(config()), Ok(())));
    assert_eq!(
        space.update_typed("words", |words: &mut Vec<String>| words.remove(0)),
        Ok("one".into())
    );
    assert_eq!(space.get_typed("words"), Ok(vec![String::new()]));
    let absent = space.get_typed::<u8>("absent");
    assert_eq!(absent, Err(NamespaceError::NotFound { name: "absent".into() }));
}

#[test]
fn another_type_is_refused_and_both_are_told() {
    let (segment, _name) = segment("namespace-serde-mismatch");
    let space: Namespace = segment.namespace("n", 5).expect("namespace");
    let refused = |found: &str, expected: &str| NamespaceError::TypeMismatch {
        name: "a".into(),
        found: found.into(),
        expected: expected.into(),
    };
    space.set_typed("a", &vec![1_i64, -1]).expect("set");
    // Their bytes would do.
    assert_eq!(space.get_typed::<Vec<u64>>("a"), Err(refused("serde Vec<i64>", "serde Vec<u64>")));
    assert_eq!(space.get::<i64>("a"), Err(refused("serde Vec<i64>", "i64")));
    space.set("a", &5_i64).expect("set");
    assert_eq!(space.get_typed::<i64>("a"), Err(refused("i64", "serde i64")));
    space.set_typed("a", &Some(config())).expect("set");
    let found = "serde Option<Config>";
    let expected = "serde (Config, BTreeMap<String, [u8; 3]>)";
    let outcome = space.get_typed::<(Config, BTreeMap<String, [u8; 3]>)>("a");
    assert_eq!(outcome, Err(refused(found, expected)));
}

/// Of the same name, with other fields.
#[test]
fn what_cannot_be_decoded_is_an_error() {
    mod elsewhere {
        #[derive(Debug, PartialEq, serde::Deserialize)]
        pub(super) struct Config(pub(super) u8, pub(super) bool);
    }
    let (segment, _name) = segment("namespace-serde-decode");
    let space: Namespace = segment.namespace("n", 5).expect("namespace");
    space.set_typed("a", &config()).expect("set");
    let decoded = space.get_typed::<elsewhere::Config>("a");
    assert!(matches!(decoded, Err(NamespaceError::Decode { .. })), "{decoded:?}");
}

#[test]
fn a_value_that_becomes_too_large_leaves_the_old_one() {
    let (segment, _name) = segment("namespace-serde-large");
    let space: Namespace<10> = segment.namespace("n", 5).expect("namespace");
    space.set_typed("a", &"123456789".to_owned()).expect("nine bytes and their number");
    let too_large = NamespaceError::TooLarge { name: "a".into(), size: 11, limit: 10 };
    assert_eq!(space.set_typed("a", &"1234567890".to_owned()), Err(too_large.clone()));
    assert_eq!(space.update_typed("a", |text: &mut String| text.push('0')), Err(too_large));
    assert_eq!(space.get_typed("a"), Ok("123456789".to_owned()));
}
