//! Types that are not `Shared`, alone, in a struct and in an array.

#[derive(Clone, Copy, outlive::Shared)]
#[repr(C)]
struct Person {
    name: &'static str,
}

#[derive(Clone, Copy)]
struct NotDerived(u8);

#[derive(Clone, Copy, outlive::Shared)]
#[repr(C)]
struct Holder {
    inner: [NotDerived; 2],
}

fn share<T: outlive::Shared>() {}

fn main() {
    share::<String>();
    share::<[NotDerived; 2]>();
}
