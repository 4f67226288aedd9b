//! `#[derive(Shared)]` and the built-in implementations: tags, descriptions, and which bytes are
//! accepted as a value.

// The types of the tests are there for their derives; few of their fields are read.
#![allow(missing_docs, unreachable_pub, dead_code)]

use std::any::TypeId;
use std::fmt;
use std::num::NonZero;

use outlive::Shared;

#[test]
fn compile_errors() {
    let cases = trybuild::TestCases::new();
    cases.pass("tests/derive/pass_*.rs");
    cases.compile_fail("tests/derive/fail_*.rs");
}

fn tag<T: Shared>() -> u64 {
    T::TYPE_TAG
}

fn describe<T: Shared>() -> String {
    struct Text<T>(std::marker::PhantomData<T>);
    impl<T: Shared> fmt::Display for Text<T> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            T::describe(f)
        }
    }
    Text::<T>(std::marker::PhantomData).to_string()
}

/// What the library does with bytes from a segment.
#[allow(unsafe_code)]
fn read<T: Shared>(bytes: &[u8]) -> Option<T> {
    assert_eq!(bytes.len(), size_of::<T>(), "wrong test");
    // SAFETY: `Bits` has the size of T, and any bytes are a valid `Bits`.
    let bits = unsafe { bytes.as_ptr().cast::<T::Bits>().read_unaligned() };
    let is_valid = T::is_valid(&bits);
    assert!(is_valid || !T::ANY_PATTERN_IS_VALID);
    // SAFETY: T has the size of its bits, and `is_valid` vouches for them.
    is_valid.then(|| unsafe { std::mem::transmute_copy(&bits) })
}

#[allow(unsafe_code)]
fn bytes_of<T: Shared>(value: &T) -> Vec<u8> {
    // SAFETY: a `Shared` type has no padding, so all its bytes are initialised.
    unsafe { std::slice::from_raw_parts((&raw const *value).cast(), size_of::<T>()) }.to_vec()
}

#[derive(Debug, PartialEq, Clone, Copy, Shared)]
#[repr(C)]
struct Point {
    x: f64,
    y: f64,
}

/// The same type in other programs, and in later versions of this one.
mod other {
    use outlive::Shared;

    pub mod same {
        use super::Shared;
        #[derive(Clone, Copy, Shared)]
        #[repr(C)]
        pub struct Point {
            pub x: f64,
            pub y: f64,
        }
    }
    pub mod swapped {
        use super::Shared;
        #[derive(Clone, Copy, Shared)]
        #[repr(C)]
        pub struct Point {
            pub y: f64,
            pub x: f64,
        }
    }
    pub mod renamed_field {
        use super::Shared;
        #[derive(Clone, Copy, Shared)]
        #[repr(C)]
        pub struct Point {
            pub x: f64,
            pub z: f64,
        }
    }
    pub mod retyped_field {
        use super::Shared;
        #[derive(Clone, Copy, Shared)]
        #[repr(C)]
        pub struct Point {
            pub x: f64,
            pub y: u64,
        }
    }
    pub mod more_fields {
        use super::Shared;
        #[derive(Clone, Copy, Shared)]
        #[repr(C)]
        pub struct Point {
            pub x: f64,
            pub y: f64,
            pub z: f64,
        }
    }
    pub mod aligned {
        use super::Shared;
        #[derive(Clone, Copy, Shared)]
        #[repr(C, align(16))]
        pub struct Point {
            pub x: f64,
            pub y: f64,
        }
    }
    pub mod renamed_type {
        use super::Shared;
        #[derive(Clone, Copy, Shared)]
        #[repr(C)]
        pub struct Dot {
            pub x: f64,
            pub y: f64,
        }
    }
}

#[test]
fn the_module_of_a_type_does_not_count() {
    assert_eq!(tag::<Point>(), tag::<other::same::Point>());
}

#[test]
fn every_difference_changes_the_tag() {
    let tags = [
        tag::<Point>(),
        tag::<other::swapped::Point>(),
        tag::<other::renamed_field::Point>(),
        tag::<other::retyped_field::Point>(),
        tag::<other::more_fields::Point>(),
        tag::<other::aligned::Point>(),
        tag::<other::renamed_type::Dot>(),
        tag::<[Point; 1]>(),
        tag::<[Point; 2]>(),
        tag::<[[Point; 1]; 2]>(),
    ];
    assert_all_differ(&tags);
}

#[track_caller]
fn assert_all_differ(tags: &[u64]) {
    for (i, tag) in tags.iter().enumerate() {
        assert_ne!(*tag, 0);
        assert!(!tags[..i].contains(tag), "number {i} has the tag of an earlier one");
    }
}

#[test]
fn builtin_types_all_differ() {
    assert_all_differ(&[
        tag::<u8>(),
        tag::<u16>(),
        tag::<u32>(),
        tag::<u64>(),
        tag::<u128>(),
        tag::<usize>(),
        tag::<i8>(),
        tag::<i16>(),
        tag::<i32>(),
        tag::<i64>(),
        tag::<i128>(),
        tag::<isize>(),
        tag::<f32>(),
        tag::<f64>(),
        tag::<bool>(),
        tag::<char>(),
        tag::<NonZero<u64>>(),
        tag::<Option<NonZero<u64>>>(),
        tag::<[u64; 1]>(),
        tag::<[u64; 2]>(),
        tag::<[[u64; 2]; 3]>(),
        tag::<[[u64; 3]; 2]>(),
    ]);
}

/// A change of these numbers makes the segments of all existing programs unreadable.
#[test]
fn tags_never_change() {
    let tags =
        [tag::<i32>(), tag::<NonZero<u8>>(), tag::<[f64; 3]>(), tag::<Point>(), tag::<Level>()];
    let expected = [
        0x5a9c_4717_49bf_3558,
        0x5d94_1f8f_b0ad_f2b6,
        0x206b_1ad1_dabf_ab0c,
        0xcbc8_49db_274a_3422,
        0x15ab_0682_f0f0_c209,
    ];
    assert_eq!(tags, expected);
}

#[derive(Debug, PartialEq, Clone, Copy, Shared)]
#[repr(i16)]
enum Level {
    Low = -300,
    Mid,
    High = 7,
}

#[derive(Debug, PartialEq, Clone, Copy, Shared)]
#[repr(u8)]
enum Switch {
    Off,
    On,
}

/// Discriminants that do not fit in a signed integer of the size.
#[derive(Debug, PartialEq, Clone, Copy, Shared)]
#[repr(u64)]
enum Far {
    Zero,
    Max = u64::MAX,
}

mod enums {
    use outlive::Shared;

    pub mod moved {
        #[derive(Clone, Copy, super::Shared)]
        #[repr(i16)]
        pub enum Level {
            Low = -300,
            Mid,
            High = 8,
        }
    }
    pub mod renamed {
        #[derive(Clone, Copy, super::Shared)]
        #[repr(i16)]
        pub enum Level {
            Low = -300,
            Middle,
            High = 7,
        }
    }
    pub mod wider {
        #[derive(Clone, Copy, super::Shared)]
        #[repr(i32)]
        pub enum Level {
            Low = -300,
            Mid,
            High = 7,
        }
    }
}

#[test]
fn every_difference_of_an_enum_changes_the_tag() {
    assert_all_differ(&[
        tag::<Level>(),
        tag::<enums::moved::Level>(),
        tag::<enums::renamed::Level>(),
        tag::<enums::wider::Level>(),
        tag::<Switch>(),
    ]);
}

#[derive(Debug, PartialEq, Clone, Copy, Shared)]
#[repr(transparent)]
struct Metres(f32);

#[derive(Debug, PartialEq, Clone, Copy, Shared)]
#[repr(C)]
struct Pair(u32, bool, [bool; 3]);

/// Everything at once: nested types, arrays of them, fields whose names are keywords.
#[derive(Debug, PartialEq, Clone, Copy, Shared)]
#[repr(C)]
struct Nested {
    at: Point,
    pairs: [[Pair; 2]; Self::ROWS],
    letter: char,
    level: Level,
    r#type: Switch,
    _pad: [u8; 1],
    count: NonZero<u32>,
    limit: Option<NonZero<u32>>,
}

impl Nested {
    const ROWS: usize = 2;
}

#[test]
fn descriptions_are_short_and_exact() {
    assert_eq!(describe::<i32>(), "i32");
    assert_eq!(describe::<NonZero<u8>>(), "NonZero<u8>");
    assert_eq!(describe::<Option<NonZero<u8>>>(), "Option<NonZero<u8>>");
    assert_eq!(describe::<[f64; 3]>(), "[f64; 3]");
    assert_eq!(describe::<[[u8; 2]; 3]>(), "[[u8; 2]; 3]");
    assert_eq!(describe::<Point>(), "Point { x: f64, y: f64 }");
    assert_eq!(describe::<[Point; 2]>(), "[Point { x: f64, y: f64 }; 2]");
    assert_eq!(describe::<[[Pair; 2]; 3]>(), "[[Pair(u32, bool, [bool; 3]); 2]; 3]");
    assert_eq!(describe::<Metres>(), "Metres(f32)");
    assert_eq!(describe::<Pair>(), "Pair(u32, bool, [bool; 3])");
    assert_eq!(describe::<Level>(), "Level: i16 { Low = -300, Mid = -299, High = 7 }");
    assert_eq!(describe::<Far>(), "Far: u64 { Zero = 0, Max = 18446744073709551615 }");
    assert_eq!(
        describe::<Nested>(),
        "Nested { at: Point, pairs: [[Pair; 2]; 2], letter: char, level: Level, type: Switch, \
         _pad: [u8; 1], count: NonZero<u32>, limit: Option<NonZero<u32>> }"
    );
}

#[test]
fn only_the_discriminants_of_an_enum_are_valid() {
    for bits in i16::MIN..=i16::MAX {
        let expected = match bits {
            -300 => Some(Level::Low),
            -299 => Some(Level::Mid),
            7 => Some(Level::High),
            _ => None,
        };
        assert_eq!(read::<Level>(&bits.to_ne_bytes()), expected, "{bits}");
    }
    assert_eq!(read::<Switch>(&[1]), Some(Switch::On));
    assert_eq!(read::<Switch>(&[2]), None);
    assert_eq!(read::<Far>(&u64::MAX.to_ne_bytes()), Some(Far::Max));
    assert_eq!(read::<Far>(&1u64.to_ne_bytes()), None);
}

#[test]
fn invalid_builtin_values_are_refused() {
    assert_eq!(read::<bool>(&[1]), Some(true));
    assert_eq!(read::<bool>(&[2]), None);
    assert_eq!(read::<char>(&0x61u32.to_ne_bytes()), Some('a'));
    assert_eq!(read::<char>(&0xd800u32.to_ne_bytes()), None);
    assert_eq!(read::<char>(&0x11_0000u32.to_ne_bytes()), None);
    assert_eq!(read::<NonZero<u8>>(&[0]), None);
    assert_eq!(read::<Option<NonZero<u8>>>(&[0]), Some(None));
}

/// Damages each byte of a value: it must be refused exactly if a field says so.
#[test]
fn every_field_is_checked_however_deep_it_is() {
    let pair = Pair(9, true, [false, true, false]);
    let value = Nested {
        at: Point { x: 1.0, y: -2.0 },
        pairs: [[pair; 2]; 2],
        letter: 'a',
        level: Level::High,
        r#type: Switch::On,
        _pad: [0],
        count: NonZero::new(4).unwrap(),
        limit: None,
    };
    let bytes = bytes_of(&value);
    assert_eq!(read::<Nested>(&bytes), Some(value));

    // Offsets: 0 at, 16 pairs (8 bytes each: a u32, then four bools), 48 letter, 52 level, 54 type,
    // 55 _pad, 56 count, 60 limit.
    for (at, bad) in [
        (16 + 4, 2),
        (16 + 8 + 5, 0xff),
        (16 + 24 + 7, 2),
        (48 + 3, 1),    // beyond the last char
        (48 + 1, 0xd8), // U+D861, a surrogate
        (52, 8),
        (53, 1),
        (54, 2),
        (56, 0),
    ] {
        let mut bytes = bytes.clone();
        bytes[at] = bad;
        assert_eq!(read::<Nested>(&bytes), None, "byte {at} = {bad}");
    }
    for at in (0..16).chain(16..20).chain([55]).chain(57..64) {
        let mut bytes = bytes.clone();
        bytes[at] ^= 0x55;
        assert!(read::<Nested>(&bytes).is_some(), "byte {at} can be anything");
    }
}

#[test]
fn every_element_of_an_array_is_checked() {
    assert_eq!(read::<[bool; 4]>(&[0, 1, 0, 1]), Some([false, true, false, true]));
    assert_eq!(read::<[[bool; 2]; 2]>(&[1, 1, 1, 0]), Some([[true, true], [true, false]]));
    for at in 0..4 {
        let mut bytes = [1; 4];
        bytes[at] = 2;
        assert_eq!(read::<[bool; 4]>(&bytes), None, "byte {at}");
        assert_eq!(read::<[[bool; 2]; 2]>(&bytes), None, "byte {at}");
        assert_eq!(read::<[Switch; 4]>(&bytes), None, "byte {at}");
    }

    let points = [Point { x: 1.0, y: 2.0 }, Point { x: 3.0, y: 4.0 }, Point { x: 5.0, y: 6.0 }];
    assert_eq!(read::<[Point; 3]>(&bytes_of(&points)), Some(points));

    let pairs = [Pair(1, true, [false; 3]), Pair(2, false, [true; 3])];
    let mut bytes = bytes_of(&pairs);
    assert_eq!(read::<[Pair; 2]>(&bytes), Some(pairs));
    bytes[8 + 4] = 2; // pairs[1].1
    assert_eq!(read::<[Pair; 2]>(&bytes), None);
}

#[test]
fn types_without_invalid_bytes_say_so() {
    #[derive(Clone, Copy, Shared)]
    #[repr(C)]
    struct Deep {
        points: [[Point; 2]; 2],
        metres: Metres,
        limit: Option<NonZero<u32>>,
    }
    fn any<T: Shared>() -> bool {
        T::ANY_PATTERN_IS_VALID
    }

    assert!(any::<u8>() && any::<i128>() && any::<usize>() && any::<f32>() && any::<f64>());
    assert!(any::<Option<NonZero<u8>>>() && any::<Option<NonZero<isize>>>());
    assert!(any::<[u64; 2]>() && any::<[[f32; 2]; 2]>());
    assert!(any::<Point>() && any::<[Point; 3]>() && any::<Metres>() && any::<Deep>());

    assert!(!any::<bool>() && !any::<char>() && !any::<NonZero<u8>>() && !any::<NonZero<isize>>());
    assert!(!any::<[bool; 2]>() && !any::<[[char; 2]; 2]>());
    assert!(!any::<Level>() && !any::<[Level; 3]>());
    assert!(!any::<Pair>() && !any::<[Pair; 3]>() && !any::<Nested>());
}

#[test]
fn builtin_types_without_invalid_bytes_are_their_own_bits() {
    fn check<T: Shared>() {
        assert_eq!(TypeId::of::<T::Bits>(), TypeId::of::<T>());
    }
    check::<u64>();
    check::<f32>();
    check::<Option<NonZero<u8>>>();
    check::<[u64; 2]>();
    check::<[[f64; 2]; 2]>();
}

#[test]
fn bits_have_the_layout_of_the_type() {
    fn check<T: Shared>() {
        assert_eq!(size_of::<T::Bits>(), size_of::<T>());
        assert_eq!(align_of::<T::Bits>(), align_of::<T>());
    }
    check::<Nested>();
    check::<[Nested; 3]>();
    check::<[bool; 3]>();
    check::<other::aligned::Point>();
    check::<Metres>();
    check::<Level>();
}

/// Names of the user that the generated code must not mistake for the language's.
mod shadows {
    #![allow(non_camel_case_types)]

    pub struct Result;
    pub struct Some;
    pub struct u64;
    pub struct bool;
    pub trait Clone {}

    #[derive(Debug, PartialEq, Eq, std::clone::Clone, Copy, outlive::Shared)]
    #[repr(u8)]
    pub enum Option {
        None,
        Some,
    }

    #[derive(std::clone::Clone, Copy, outlive::Shared)]
    #[repr(C)]
    pub struct Bits {
        pub f: u8,
        pub bits: Option,
        pub value: u8,
    }
}

#[test]
fn names_of_the_user_do_not_interfere() {
    assert_eq!(describe::<shadows::Bits>(), "Bits { f: u8, bits: Option, value: u8 }");
    assert!(read::<shadows::Bits>(&[9, 1, 9]).is_some());
    assert!(read::<shadows::Bits>(&[9, 2, 9]).is_none());
}

/// Types that come out of a macro have tokens of several origins.
mod from_macro {
    macro_rules! define {
        ($name:ident, $field:ident: $ty:ty, $value:expr) => {
            #[derive(Clone, Copy, outlive::Shared)]
            #[repr(C)]
            pub struct $name {
                pub $field: $ty,
                pub fixed: $crate::from_macro::Alias,
                pub array: [$ty; $value],
            }
        };
    }
    pub type Alias = [u32; 2];
    define!(Made, first: u32, 1 + 2);
}

#[test]
fn types_may_come_from_a_macro() {
    assert_eq!(
        describe::<from_macro::Made>(),
        "Made { first: u32, fixed: [u32; 2], array: [u32; 3] }"
    );
}

/// Types that derive `bytemuck`'s traits as well.
mod with_bytemuck {
    use bytemuck::{CheckedBitPattern, NoUninit, Pod, Zeroable};
    use outlive::Shared;

    #[derive(Debug, PartialEq, Clone, Copy, Pod, Zeroable, Shared)]
    #[repr(C)]
    pub struct Pixel {
        pub rgba: [u8; 4],
    }

    #[derive(Debug, PartialEq, Clone, Copy, Shared, NoUninit, CheckedBitPattern)]
    #[repr(u8)]
    pub enum Side {
        Left,
        Right,
    }

    #[derive(Debug, PartialEq, Clone, Copy, NoUninit, CheckedBitPattern, Shared)]
    #[repr(C)]
    pub struct Door {
        pub colour: Pixel,
        pub side: Side,
        pub open: bool,
        pub _pad: [u8; 2],
    }
}

#[test]
fn bytemucks_derives_and_this_one_do_not_interfere() {
    use with_bytemuck::{Door, Pixel, Side};

    let door =
        Door { colour: Pixel { rgba: [1, 2, 3, 4] }, side: Side::Right, open: true, _pad: [0; 2] };
    let bytes = bytemuck::bytes_of(&door);
    assert_eq!(read::<Door>(bytes), Some(door));
    assert_eq!(bytemuck::checked::try_pod_read_unaligned::<Door>(bytes), Ok(door));
    assert_eq!(read::<[Side; 2]>(&[0, 2]), None);
    assert_eq!(describe::<Door>(), "Door { colour: Pixel, side: Side, open: bool, _pad: [u8; 2] }");
}
