//! The derive macro of `outlive`'s `Shared` trait. Use it as `outlive::Shared`.

mod expand;
mod input;

use proc_macro::TokenStream;

/// Implements `Shared`, so that values of the type may live in shared memory.
///
/// The macro proves at compile time what this unsafe trait promises. Your crate needs no `unsafe`.
///
/// ```
/// #[derive(Clone, Copy, outlive::Shared)]
/// #[repr(C)]
/// struct Point {
///     x: f64,
///     y: f64,
/// }
///
/// #[derive(Clone, Copy, outlive::Shared)]
/// #[repr(transparent)]
/// struct Metres(f64);
///
/// #[derive(Clone, Copy, outlive::Shared)]
/// #[repr(i8)]
/// enum Direction {
///     Down = -1,
///     Up = 1,
/// }
/// ```
///
/// # What it accepts
///
/// - Structs with `#[repr(C)]` or `#[repr(transparent)]`, with named or unnamed fields, all of them
///   `Shared`, without padding bytes. Padding is refused because its bytes have no defined value:
///   order the fields from the largest to the smallest, or add an explicit `_pad: [u8; N]` field.
/// - Enums without fields and with an integer representation such as `#[repr(u8)]`.
///
/// Everything else is a compile error that says what to do.
///
/// ```compile_fail,E0277
/// #[derive(Clone, Copy, outlive::Shared)]
/// #[repr(C)]
/// struct Person {
///     name: &'static str, // an address of this process: use `[u8; 32]`
/// }
/// ```
///
/// # Another path of the crate
///
/// `#[shared(crate = path)]` says where to find the `outlive` crate if it is not `::outlive`.
///
/// ```
/// mod reexported {
///     pub use outlive;
/// }
///
/// #[derive(Clone, Copy, outlive::Shared)]
/// #[repr(C)]
/// #[shared(crate = reexported::outlive)]
/// struct Point {
///     x: f64,
///     y: f64,
/// }
/// ```
#[proc_macro_derive(Shared, attributes(shared))]
pub fn derive_shared(item: TokenStream) -> TokenStream {
    let item = syn::parse_macro_input!(item as syn::DeriveInput);
    input::Input::parse(&item)
        .map_or_else(syn::Error::into_compile_error, |input| expand::expand(&input))
        .into()
}
