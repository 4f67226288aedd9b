//! Numbers as words.

use std::any::{Any, TypeId};

/// A type, into a word, and out of one.
macro_rules! numbers {
    ($($number:ty: $own:ident => $to:expr, $word:ident => $from:expr;)*) => {
        /// Whether it is a type that is a word here.
        pub(super) fn is_number<T: 'static>() -> bool {
            [$(TypeId::of::<$number>()),*].contains(&TypeId::of::<T>())
        }

        /// A number's word; 0 for what is none.
        // Which type it is, the compiler knows: nothing of this is left.
        #[inline]
        pub(super) fn to_bits<T: 'static>(number: &T) -> u64 {
            let number: &dyn Any = number;
            $(
                if let Some($own) = number.downcast_ref::<$number>() {
                    let $own = *$own;
                    return $to;
                }
            )*
            0
        }

        /// A word's number; None if there is no such number of that type.
        #[inline]
        pub(super) fn from_bits<T: 'static>(word: u64) -> Option<T> {
            let mut result: Option<T> = None;
            let place: &mut dyn Any = &mut result;
            $(
                if let Some(place) = place.downcast_mut::<Option<$number>>() {
                    let $word = word;
                    *place = $from;
                    return result;
                }
            )*
            result
        }
    };
}

numbers! {
    u8: n => n.into(), word => Some(word as u8);
    u16: n => n.into(), word => Some(word as u16);
    u32: n => n.into(), word => Some(word as u32);
    u64: n => n, word => Some(word);
    usize: n => n as u64, word => Some(word as usize);
    i8: n => n as u64, word => Some(word as i8);
    i16: n => n as u64, word => Some(word as i16);
    i32: n => n as u64, word => Some(word as i32);
    i64: n => n as u64, word => Some(word as i64);
    isize: n => n as u64, word => Some(word as isize);
    f32: n => n.to_bits().into(), word => Some(f32::from_bits(word as u32));
    f64: n => n.to_bits(), word => Some(f64::from_bits(word));
    bool: n => n.into(), word => [false, true].get(word as usize).copied();
    char: n => n.into(), word => char::from_u32(word as u32);
    (): _unit => 0, _word => Some(());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn survives<T: PartialEq + Copy + 'static>(numbers: &[T]) {
        assert!(is_number::<T>());
        assert!(numbers.iter().all(|number| from_bits::<T>(to_bits(number)) == Some(*number)));
    }

    #[test]
    fn numbers_are_words_and_back() {
        survives(&[0, 1, u8::MAX]);
        survives(&[0, u16::MAX]);
        survives(&[0, u32::MAX]);
        survives(&[0, u64::MAX]);
        survives(&[0, usize::MAX]);
        survives(&[i8::MIN, -1, 0, i8::MAX]);
        survives(&[i16::MIN, -1, i16::MAX]);
        survives(&[i32::MIN, -1, i32::MAX]);
        survives(&[i64::MIN, -1, i64::MAX]);
        survives(&[isize::MIN, -1, isize::MAX]);
        survives(&[f32::MIN, -0.5, f32::INFINITY]);
        survives(&[f64::MIN, -0.5, f64::INFINITY]);
        survives(&[false, true]);
        survives(&['a', char::MAX]);
        survives(&[()]);
        assert!(from_bits::<f64>(to_bits(&f64::NAN)).unwrap().is_nan());
    }

    #[test]
    fn others_are_not() {
        assert!(!is_number::<u128>() && !is_number::<String>() && !is_number::<(u8, u8)>());
        assert_eq!(from_bits::<String>(1), None);
        assert_eq!((from_bits::<bool>(2), from_bits::<char>(0xd800)), (None, None));
    }
}
