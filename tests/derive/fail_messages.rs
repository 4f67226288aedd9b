//! What the derive itself refuses.

use outlive::Shared;

#[derive(Clone, Copy, Shared)]
struct NoRepr {
    x: u8,
}

#[derive(Clone, Copy, Shared)]
#[repr(Rust)]
struct RustRepr {
    x: u8,
}

#[derive(Clone, Copy, Shared)]
#[repr(C, packed)]
struct Packed {
    x: u8,
    y: u32,
}

#[derive(Clone, Copy, Shared)]
#[repr(C)]
struct Empty {}

#[derive(Clone, Copy, Shared)]
#[repr(C)]
struct Unit;

#[derive(Clone, Copy, Shared)]
#[repr(C)]
struct Generic<T> {
    x: T,
}

#[derive(Clone, Copy, Shared)]
#[repr(C)]
struct Borrows<'a> {
    x: &'a u8,
}

#[derive(Clone, Copy, Shared)]
#[repr(C)]
struct Sized<const N: usize> {
    x: [u8; N],
}

#[derive(Clone, Copy, Shared)]
enum NoInt {
    A,
    B,
}

#[derive(Clone, Copy, Shared)]
#[repr(C)]
enum OnlyC {
    A,
    B,
}

#[derive(Clone, Copy, Shared)]
#[repr(u8)]
enum WithFields {
    A,
    B(u8),
}

#[derive(Clone, Copy, Shared)]
enum Never {}

#[derive(Clone, Copy, Shared)]
#[repr(u8, align(4))]
enum Aligned {
    A,
}

#[derive(Clone, Copy, Shared)]
#[repr(C)]
union Either {
    a: u32,
    b: f32,
}

#[derive(Clone, Copy, Shared)]
#[repr(C)]
#[shared(bytemick)]
struct Misspelt {
    x: u8,
}

fn main() {}
