//! Padding: the compiler evaluates an assertion of the derive.

#[derive(Clone, Copy, outlive::Shared)]
#[repr(C)]
struct Between {
    on: bool,
    x: f64,
}

#[derive(Clone, Copy, outlive::Shared)]
#[repr(C)]
struct AtTheEnd {
    x: f64,
    on: bool,
}

#[derive(Clone, Copy, outlive::Shared)]
#[repr(C, align(64))]
struct CacheLine {
    count: u64,
}

fn main() {}
