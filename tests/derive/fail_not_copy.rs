//! The derive cannot see the other derives: the compiler finds that `Copy` is missing.

#[derive(outlive::Shared)]
#[repr(C)]
struct NotCopy {
    x: f64,
}

#[derive(outlive::Shared)]
#[repr(u8)]
enum Kind {
    A,
    B,
}

fn main() {}
