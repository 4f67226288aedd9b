//! Several processes change attributes, their types included, and are killed.

use outlive::{Namespace, NamespaceError, Segment};

use crate::observe::Random;
use crate::segment;
use crate::support::{Peer, say};

const NAMES: [&str; 6] = ["a", "b", "c", "d", "e", "f"];
/// Less than there are names.
const ROOM: usize = 4;

/// The role: sets, changes and removes attributes, which are of one or the other type.
pub(crate) fn change_for_ever(arguments: &[String]) {
    let segment = Segment::open(&arguments[0]).expect("open");
    let space: Namespace = segment.find("n").expect("find");
    let mut random = Random::new(arguments[1].parse().expect("seed"));
    say("ready");
    loop {
        let name = NAMES[random.below(NAMES.len() as u64) as usize];
        let number = random.below(1 << 20);
        // Others change them meanwhile: there may be none, one of the other type, or no room.
        match random.below(5) {
            0 => drop(space.set(name, &[number; 7])),
            1 => drop(space.set(name, &[!(number as u32); 5])),
            2 => drop(space.update(name, |words: &mut [u64; 7]| *words = words.map(|n| n + 1))),
            3 => drop(space.update(name, |words: &mut [u32; 5]| *words = words.map(|n| n - 1))),
            _ => drop(space.remove(name).expect("remove")),
        }
    }
}

/// Each attribute is whole, and of its type.
fn check(space: &Namespace) {
    for name in NAMES {
        match space.get::<[u64; 7]>(name) {
            Ok(words) => {
                assert_eq!(words, [words[0]; 7], "torn");
                assert!(words[0] < 1 << 40, "of the other type: {words:x?}");
            }
            Err(NamespaceError::NotFound { .. }) => {}
            Err(NamespaceError::TypeMismatch { found, .. }) => assert_eq!(found, "[u32; 5]"),
            Err(error) => panic!("{error}"),
        }
        match space.get::<[u32; 5]>(name) {
            Ok(words) => {
                assert_eq!(words, [words[0]; 5], "torn");
                assert!(words[0] > 1 << 31, "of the other type: {words:x?}");
            }
            Err(NamespaceError::NotFound { .. }) => {}
            Err(NamespaceError::TypeMismatch { found, .. }) => assert_eq!(found, "[u64; 7]"),
            Err(error) => panic!("{error}"),
        }
    }
}

#[test]
fn attributes_stay_whole_and_of_their_type_and_no_room_is_lost() {
    let (segment, name) = segment("namespace-kills");
    let space: Namespace = segment.namespace("n", ROOM).expect("namespace");
    let mut random = Random::new(9);
    for round in 0..8_u64 {
        let spawn = |index: u64| {
            Peer::spawn("namespace change", &[&name, &(round * 4 + index).to_string()])
        };
        let mut victims: Vec<Peer> = (0..4).map(spawn).collect();
        victims.iter_mut().for_each(|victim| victim.expect("ready"));
        for victim in victims {
            for _ in 0..1 + random.below(100) {
                check(&space);
            }
            victim.kill();
        }
        check(&space);
        assert_eq!(space.names().expect("names").len(), space.len(), "in round {round}");
        space.clear().expect("clear");
        for name in &NAMES[..ROOM] {
            space.set(name, &[round; 7]).expect("room");
        }
        assert_eq!(space.set("more", &1_u8), Err(NamespaceError::Full { name: "more".into() }));
    }
}
