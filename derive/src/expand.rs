//! The code that the derive writes.
//!
//! It must be sound whatever the item looks like, and also when another attribute macro changes the
//! item after the derive has seen it. So nothing here rests on the tokens alone: each fact that an
//! `unsafe impl` needs is asserted about the type that the compiler sees.
//!
//! It must also be silent under the user's lints, `#![forbid(unsafe_code)]` included. Lints look
//! away from code whose spans are the macro's; an `#[allow]` in the code would itself be an error
//! below a `forbid`. That is why the spans of idents are re-made in `input`.
//!
//! What is missing should be said once. So all items that need `Copy` or a shareable field have it
//! as a bound, instead of complaining each for itself, and one constant that uses them complains.
//! The `for<'__outlive>` keeps the compiler from refusing a bound that does not hold where it is
//! written.

use proc_macro2::{Ident, TokenStream};
use quote::{quote, quote_spanned};
use syn::ext::IdentExt;

use crate::input::{Body, Field, Input, located_at};

const ADVICE: &str = "order its fields from the largest to the smallest, or add an explicit \
                      `_pad: [u8; N]` field";

pub(crate) fn expand(input: &Input) -> TokenStream {
    let Input { name, body, krate, allows } = input;
    let private = quote!(#krate::__private);
    let parts = match body {
        Body::Struct { fields, named, aligns } => of_struct(&private, name, fields, *named, aligns),
        Body::Enum { variants, repr } => of_enum(&private, name, variants, repr),
    };
    let Parts { definitions, checks, bounds, bits, any, is_valid, layout, tag, describe } = parts;
    let text = name.unraw().to_string();

    let span = located_at(name.span());
    let complaint = quote_spanned! {span=>
        const _: ::core::primitive::u64 = <#name as #private::Shared>::TYPE_TAG;
    };

    quote! {
        #(#allows)*
        const _: () = {
            #definitions
            #checks

            // Complains about unmet bounds, and evaluates the checks that depend on them.
            #complaint

            // SAFETY: no padding (`checks`), and all fields are `Shared` (`bounds`), so that there
            // are no pointers and no interior mutability either. `Bits` is the integer of an enum,
            // or a struct of the fields' `Bits` with the same layout (`checks`, `layout`).
            // `is_valid` compares with every variant, or asks every field. Any bytes are a valid
            // struct if any bytes are valid for each of its fields.
            #[automatically_derived]
            unsafe impl #private::Shared for #name #bounds {
                type Bits = #bits;
                const TYPE_TAG: ::core::primitive::u64 = {
                    #layout
                    #tag
                };
                const ANY_PATTERN_IS_VALID: ::core::primitive::bool = #any;

                #[inline]
                fn is_valid(bits: &#bits) -> ::core::primitive::bool {
                    #is_valid
                }

                fn describe(f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                    #describe
                }

                fn name(f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                    f.write_str(#text)
                }
            }
        };
    }
}

/// What differs between structs and enums.
struct Parts {
    /// Items that the rest refers to.
    definitions: TokenStream,
    /// Constants whose evaluation fails if the item is not what the macro takes it for.
    checks: TokenStream,
    /// A where clause, see above.
    bounds: TokenStream,
    /// The type of the raw bytes.
    bits: TokenStream,
    /// Whether any bytes are valid.
    any: TokenStream,
    /// Body of `fn is_valid(bits: &Bits) -> bool`.
    is_valid: TokenStream,
    /// A check that needs the bounds.
    layout: TokenStream,
    tag: TokenStream,
    /// Body of `fn describe(f: &mut Formatter) -> fmt::Result`.
    describe: TokenStream,
}

fn of_struct(
    private: &TokenStream,
    name: &Ident,
    fields: &[Field],
    named: bool,
    aligns: &[syn::LitInt],
) -> Parts {
    let text = name.unraw().to_string();
    let members: Vec<_> = fields.iter().map(|field| &field.member).collect();
    let aliases: Vec<_> = fields.iter().map(|field| &field.alias).collect();
    let types = fields.iter().map(|field| &field.ty);
    let field_bits: Vec<_> = fields.iter().map(|field| &field.bits).collect();
    let texts: Vec<_> = fields.iter().map(Field::text).collect();

    // The type has exactly the fields that the macro saw, of exactly these types: the pattern has
    // no `..`, and a raw pointer does not coerce to one of another type.
    let mut checks = quote! {
        const _: fn(&#name) = |value| {
            let #name { #(#members: _),* } = value;
            #(let _: *const #aliases = &raw const value.#members;)*
        };
    };
    checks.extend(no_padding(name, &text, fields));

    let mut bounds = bounds(name);
    for Field { alias, span, .. } in fields {
        bounds.extend(quote_spanned!(*span=> for<'__outlive> #alias: #private::Shared,));
    }
    let definitions = quote! {
        #(type #aliases = #types;)*

        #[doc(hidden)]
        #[derive(::core::clone::Clone, ::core::marker::Copy)]
        #[repr(C #(, align(#aligns))*)]
        pub struct __OutliveBits #bounds {
            #(#field_bits: <#aliases as #private::Shared>::Bits,)*
        }
    };
    let layout = quote! {
        ::core::assert!(
            ::core::mem::size_of::<__OutliveBits>() == ::core::mem::size_of::<#name>()
                && ::core::mem::align_of::<__OutliveBits>() == ::core::mem::align_of::<#name>()
                #(&& ::core::mem::offset_of!(__OutliveBits, #field_bits)
                    == ::core::mem::offset_of!(#name, #members))*,
            "the layout of this type is not that of a `repr(C)` struct",
        );
    };
    let any = quote!(#(<#aliases as #private::Shared>::ANY_PATTERN_IS_VALID)&&*);
    let is_valid = quote!(#(<#aliases as #private::Shared>::is_valid(&bits.#field_bits))&&*);
    let describe = if named {
        quote! {
            #private::describe_struct(
                f, #text, &[#((#texts, <#aliases as #private::Shared>::name)),*],
            )
        }
    } else {
        quote! {
            #private::describe_tuple(f, #text, &[#(<#aliases as #private::Shared>::name),*])
        }
    };
    let tag = quote! {
        #private::Tag::new("struct")
            .text(#text)
            .layout::<#name>()
            #(.field(
                #texts,
                ::core::mem::offset_of!(#name, #members),
                <#aliases as #private::Shared>::TYPE_TAG,
            ))*
            .finish()
    };
    let bits = quote!(__OutliveBits);
    Parts { definitions, checks, bounds, bits, any, is_valid, layout, tag, describe }
}

fn bounds(name: &Ident) -> TokenStream {
    quote!(where for<'__outlive> #name: ::core::marker::Copy,)
}

/// Asserts that the fields tile the struct: each begins where the one before it ends, the first at
/// the start, the last at the end.
fn no_padding(name: &Ident, text: &str, fields: &[Field]) -> TokenStream {
    let mut checks = TokenStream::new();
    let mut end = quote!(0);
    for field in fields {
        let Field { member, alias, span, .. } = field;
        let message =
            format!("`{text}` has padding bytes before its field `{}`: {ADVICE}", field.text());
        let offset = quote_spanned!(*span=> ::core::mem::offset_of!(#name, #member));
        checks.extend(quote_spanned! {*span=>
            const _: () = ::core::assert!(#offset == #end, #message);
        });
        end = quote_spanned!(*span=> (#offset + ::core::mem::size_of::<#alias>()));
    }
    let message = format!("`{text}` has padding bytes at its end: {ADVICE}");
    let span = located_at(name.span());
    checks.extend(quote_spanned! {span=>
        const _: () = ::core::assert!(::core::mem::size_of::<#name>() == #end, #message);
    });
    checks
}

fn of_enum(private: &TokenStream, name: &Ident, variants: &[Ident], repr: &Ident) -> Parts {
    let text = name.unraw().to_string();
    let texts: Vec<_> = variants.iter().map(|variant| variant.unraw().to_string()).collect();
    let repr_text = repr.to_string();
    let int = quote!(::core::primitive::#repr);

    // The macro saw all variants (or the tag would say nothing of the others), and each is in
    // memory what its discriminant is.
    let checks = quote! {
        const _: fn(#name) = |value| match value {
            #(#name::#variants => (),)*
        };
        const _: () = ::core::assert!(
            ::core::mem::align_of::<#name>() == ::core::mem::align_of::<#int>()
            // SAFETY: any integer of the size (which `transmute` compares) is valid. Were a byte of
            // the enum padding, the compiler would refuse to evaluate this.
            #(&& unsafe { ::core::mem::transmute::<#name, #int>(#name::#variants) }
                == #name::#variants as #int)*,
            "the layout of this enum is not that of its integer type",
        );
    };
    let is_valid = quote!(#(*bits == #name::#variants as #int)||*);

    let describe = quote! {
        #private::describe_enum(f, #text, #repr_text, &[#((#texts, &(#name::#variants as #int))),*])
    };
    // Through the integer type, and then the sign is extended.
    let tag = quote! {
        #private::Tag::new("enum")
            .text(#text)
            .layout::<#name>()
            #(.text(#texts).number(#name::#variants as #int as ::core::primitive::u128))*
            .finish()
    };
    Parts {
        definitions: TokenStream::new(),
        checks,
        bounds: bounds(name),
        bits: int,
        any: quote!(false),
        is_valid,
        layout: TokenStream::new(),
        tag,
        describe,
    }
}
