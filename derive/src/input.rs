//! From the tokens of an item to what the derive needs to know of it, or a message for the user.

use proc_macro2::{Group, Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{Attribute, Data, DeriveInput, Error, Fields, LitInt, Member, Path, Result};

/// An item that the derive accepts.
pub(crate) struct Input {
    pub(crate) name: Ident,
    pub(crate) body: Body,
    /// The path of the `outlive` crate.
    pub(crate) krate: TokenStream,
    /// The `#[allow]` attributes of the item, which shall hold for the code written for it too.
    pub(crate) allows: Vec<Attribute>,
}

pub(crate) enum Body {
    Struct { fields: Vec<Field>, named: bool, aligns: Vec<LitInt> },
    Enum { variants: Vec<Ident>, repr: Ident },
}

pub(crate) struct Field {
    pub(crate) member: Member,
    /// As a `repr(C)` struct of the macro names it.
    pub(crate) bits: Ident,
    /// The name of an alias of its type.
    pub(crate) alias: Ident,
    pub(crate) ty: TokenStream,
    /// Where to point at.
    pub(crate) span: Span,
}

impl Field {
    /// Its name as it is written in texts: `x` for `r#x`, `0` for the first unnamed field.
    pub(crate) fn text(&self) -> String {
        match &self.member {
            Member::Named(ident) => ident.unraw().to_string(),
            Member::Unnamed(index) => index.index.to_string(),
        }
    }
}

impl Input {
    pub(crate) fn parse(item: &DeriveInput) -> Result<Input> {
        let name = &item.ident;
        refuse_generics(item)?;
        let krate = crate_path(&item.attrs)?;
        let repr = Repr::parse(&item.attrs)?;

        let body = match &item.data {
            Data::Struct(data) => {
                if !repr.is_c && !repr.is_transparent {
                    return Err(Error::new(
                        name.span(),
                        format!(
                            "`{name}` needs `#[repr(C)]`: without it, two programs may lay out \
                             its fields differently"
                        ),
                    ));
                }
                if let Some(span) = repr.packed {
                    return Err(Error::new(
                        span,
                        "a packed struct cannot be shared: order its fields from the largest to \
                         the smallest, or fill the gaps with explicit `_pad: [u8; N]` fields",
                    ));
                }
                if data.fields.is_empty() {
                    return Err(Error::new(
                        name.span(),
                        format!("`{name}` has no fields: there is nothing to share"),
                    ));
                }
                Body::Struct {
                    named: matches!(data.fields, Fields::Named(_)),
                    fields: fields(name, &data.fields),
                    aligns: repr.aligns,
                }
            }
            Data::Enum(data) => {
                if let Some(variant) = data.variants.iter().find(|v| !v.fields.is_empty()) {
                    return Err(Error::new(
                        variant.fields.span(),
                        format!(
                            "an enum with fields cannot be shared, because its variants leave \
                             bytes unused: make `{name}` a struct of a fieldless enum and the data"
                        ),
                    ));
                }
                if data.variants.is_empty() {
                    return Err(Error::new(
                        name.span(),
                        format!("`{name}` has no variants: there is no value to share"),
                    ));
                }
                if let Some(align) = repr.aligns.first() {
                    return Err(Error::new(
                        align.span(),
                        "an over-aligned enum has padding bytes: remove `align`",
                    ));
                }
                let Some(int) = repr.int else {
                    return Err(Error::new(
                        name.span(),
                        format!(
                            "`{name}` needs an integer representation such as `#[repr(u8)]`: \
                             without it, two programs may give its values different sizes"
                        ),
                    ));
                };
                Body::Enum {
                    variants: data.variants.iter().map(|v| at_call_site(&v.ident)).collect(),
                    repr: int,
                }
            }
            Data::Union(data) => {
                return Err(Error::new(
                    data.union_token.span,
                    "a union cannot be shared, because nothing says which of its fields is valid: \
                     use a struct",
                ));
            }
        };

        Ok(Input {
            name: at_call_site(name),
            body,
            krate,
            allows: item.attrs.iter().filter(|a| a.path().is_ident("allow")).cloned().collect(),
        })
    }
}

/// A shared type is named by programs that know nothing of each other, so it has to be concrete.
fn refuse_generics(item: &DeriveInput) -> Result<()> {
    let Some(parameter) = item.generics.params.first() else {
        return Ok(());
    };
    let message = match parameter {
        syn::GenericParam::Lifetime(_) => {
            "a type with a lifetime cannot be shared, because a reference means nothing in another \
             process: store the data itself, or an index"
        }
        syn::GenericParam::Type(_) => {
            "a generic type cannot be shared, because its layout depends on the parameter: write \
             a struct with concrete types"
        }
        syn::GenericParam::Const(_) => {
            "a type with a const parameter cannot be shared, because its layout depends on it: \
             write a struct with a fixed length"
        }
    };
    Err(Error::new_spanned(parameter, message))
}

fn fields(name: &Ident, fields: &Fields) -> Vec<Field> {
    fields
        .iter()
        .zip(fields.members())
        .enumerate()
        .map(|(i, (field, member))| {
            let span = located_at(field.ty.span());
            Field {
                member: match member {
                    Member::Named(ident) => Member::Named(at_call_site(&ident)),
                    unnamed @ Member::Unnamed(_) => unnamed,
                },
                bits: Ident::new(&format!("field{i}"), Span::call_site()),
                alias: Ident::new(&format!("__OutliveField{i}"), span),
                ty: name_self(field.ty.to_token_stream(), name),
                span,
            }
        })
        .collect()
}

/// Replaces `Self`, which would mean something else in the items that the macro writes.
fn name_self(tokens: TokenStream, name: &Ident) -> TokenStream {
    tokens
        .into_iter()
        .map(|token| match token {
            TokenTree::Ident(ident) if ident == "Self" => {
                TokenTree::Ident(Ident::new(&name.to_string(), ident.span()))
            }
            TokenTree::Group(group) => {
                let mut renamed = Group::new(group.delimiter(), name_self(group.stream(), name));
                renamed.set_span(group.span());
                TokenTree::Group(renamed)
            }
            other => other,
        })
        .collect()
}

/// Points at `span`, but counts as code of the macro: the user's lints do not look at it.
pub(crate) fn located_at(span: Span) -> Span {
    Span::call_site().located_at(span)
}

fn at_call_site(ident: &Ident) -> Ident {
    let mut ident = ident.clone();
    ident.set_span(located_at(ident.span()));
    ident
}

/// What `#[shared(crate = path)]` says.
fn crate_path(attrs: &[Attribute]) -> Result<TokenStream> {
    let mut krate = quote!(::outlive);
    for attr in attrs.iter().filter(|attr| attr.path().is_ident("shared")) {
        attr.parse_nested_meta(|meta| {
            if !meta.path.is_ident("crate") {
                return Err(meta.error("expected `crate = path`"));
            }
            krate = meta.value()?.call(Path::parse_mod_style)?.into_token_stream();
            Ok(())
        })?;
    }
    Ok(krate)
}

/// What `#[repr(...)]` says. The compiler itself refuses what makes no sense for the item.
#[derive(Default)]
struct Repr {
    is_c: bool,
    is_transparent: bool,
    int: Option<Ident>,
    aligns: Vec<LitInt>,
    packed: Option<Span>,
}

impl Repr {
    fn parse(attrs: &[Attribute]) -> Result<Repr> {
        const INTEGERS: [&str; 12] = [
            "u8", "u16", "u32", "u64", "u128", "usize", "i8", "i16", "i32", "i64", "i128", "isize",
        ];
        let mut repr = Repr::default();
        for attr in attrs.iter().filter(|attr| attr.path().is_ident("repr")) {
            attr.parse_nested_meta(|meta| {
                let ident = meta.path.require_ident()?;
                if ident == "C" {
                    repr.is_c = true;
                } else if ident == "transparent" {
                    repr.is_transparent = true;
                } else if ident == "align" {
                    let argument;
                    syn::parenthesized!(argument in meta.input);
                    repr.aligns.push(argument.parse()?);
                } else if ident == "packed" {
                    repr.packed = Some(ident.span());
                    if meta.input.peek(syn::token::Paren) {
                        let argument;
                        syn::parenthesized!(argument in meta.input);
                        argument.parse::<LitInt>()?;
                    }
                } else if INTEGERS.iter().any(|int| ident == int) {
                    repr.int = Some(at_call_site(ident));
                } else if ident != "Rust" {
                    return Err(meta.error("this representation cannot be shared"));
                }
                Ok(())
            })?;
        }
        Ok(repr)
    }
}
