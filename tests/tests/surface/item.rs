//! One line of the surface: a type, a field, a variant, or a callable item.

use std::fmt;

use uniffi_meta::{
    DefaultValueMetadata, EnumShape, FieldMetadata, FnParamMetadata, LiteralMetadata, Metadata,
    ObjectImpl, Type, VariantMetadata,
};

/// The place of a name. It decides which names are reserved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Place {
    /// A record, enum, error, object or trait.
    Type,
    /// A free function.
    Function,
    /// A method of an object or of a trait of the host.
    Method,
    /// An argument.
    Argument,
    /// A field of a record or of a variant.
    Field,
    /// A field of an error.
    ErrorField,
    /// A variant of an enum or error.
    Variant,
}

/// The signature of a callable item.
pub(crate) struct Call {
    pub(crate) inputs: Vec<FnParamMetadata>,
    pub(crate) throws: Option<Type>,
    pub(crate) is_async: bool,
}

/// One line of the surface.
pub(crate) struct Item {
    /// The type that the item belongs to; a type's own name, and the empty text for a function.
    owner: String,
    place: Place,
    name: String,
    line: String,
    pub(crate) docs: Option<String>,
    /// The signature, if the item can be called.
    pub(crate) call: Option<Call>,
}

impl Item {
    /// Returns the order of the snapshot: functions, then each type with its parts. Fields and variants keep
    /// their declared order. Methods are sorted, because the linker decides their order.
    pub(crate) fn rank(&self) -> (String, bool, String) {
        let line = self.call.as_ref().map_or("", |_| self.line.as_str());
        (
            self.owner.clone(),
            self.place != Place::Type,
            line.to_owned(),
        )
    }

    /// Returns the names in the item, each with its place.
    pub(crate) fn names(&self) -> Vec<(Place, &str)> {
        let inputs = self.call.iter().flat_map(|call| &call.inputs);
        std::iter::once((self.place, self.name.as_str()))
            .chain(inputs.map(|input| (Place::Argument, input.name.as_str())))
            .collect()
    }
}

impl fmt::Display for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.line)
    }
}

/// Returns the lines of one piece of metadata.
#[expect(clippy::too_many_lines, reason = "one arm for each kind of item")]
pub(crate) fn items_of(metadata: Metadata) -> Vec<Item> {
    match metadata {
        Metadata::Func(f) => vec![callable(
            String::new(),
            Place::Function,
            f.name,
            f.return_type.as_ref(),
            f.docstring,
            Call {
                inputs: f.inputs,
                throws: f.throws,
                is_async: f.is_async,
            },
        )],
        Metadata::Constructor(c) => {
            let made = Type::Record {
                module_path: c.module_path,
                name: c.self_name.clone(),
            };
            vec![callable(
                c.self_name,
                Place::Method,
                c.name,
                Some(&made),
                c.docstring,
                Call {
                    inputs: c.inputs,
                    throws: c.throws,
                    is_async: c.is_async,
                },
            )]
        }
        Metadata::Method(m) => vec![callable(
            m.self_name,
            Place::Method,
            m.name,
            m.return_type.as_ref(),
            m.docstring,
            Call {
                inputs: m.inputs,
                throws: m.throws,
                is_async: m.is_async,
            },
        )],
        Metadata::TraitMethod(m) => vec![callable(
            m.trait_name,
            Place::Method,
            m.name,
            m.return_type.as_ref(),
            m.docstring,
            Call {
                inputs: m.inputs,
                throws: m.throws,
                is_async: m.is_async,
            },
        )],
        Metadata::Object(o) => {
            let what = match o.imp {
                ObjectImpl::Struct => "object",
                ObjectImpl::Trait(_) => "trait",
            };
            vec![type_named(what, o.name, o.docstring)]
        }
        Metadata::CallbackInterface(c) => vec![type_named("callback", c.name, c.docstring)],
        Metadata::Record(r) => {
            let fields = r.fields.into_iter();
            let fields = fields.map(|field| part(&r.name, Place::Field, &r.name, field));
            let fields: Vec<Item> = fields.collect();
            std::iter::once(type_named("record", r.name, r.docstring))
                .chain(fields)
                .collect()
        }
        Metadata::Enum(e) => {
            let (what, place) = match e.shape {
                EnumShape::Enum => ("enum", Place::Field),
                EnumShape::Error { .. } => ("error", Place::ErrorField),
            };
            let variants = e.variants.into_iter();
            let variants = variants.flat_map(|variant| variant_items(&e.name, place, variant));
            let variants: Vec<Item> = variants.collect();
            std::iter::once(type_named(what, e.name, e.docstring))
                .chain(variants)
                .collect()
        }
        Metadata::Namespace(_)
        | Metadata::UdlFile(_)
        | Metadata::CustomType(_)
        | Metadata::UniffiTrait(_)
        | Metadata::ObjectTraitImpl(_) => Vec::new(),
    }
}

fn type_named(what: &str, name: String, docs: Option<String>) -> Item {
    Item {
        line: format!("{what} {name}"),
        owner: name.clone(),
        place: Place::Type,
        name,
        docs,
        call: None,
    }
}

fn part(owner: &str, place: Place, of: &str, field: FieldMetadata) -> Item {
    let default = field.default.as_ref().map(default_text).unwrap_or_default();
    Item {
        owner: owner.to_owned(),
        place,
        line: format!("  {of}.{}: {}{default}", field.name, type_text(&field.ty)),
        name: field.name,
        docs: field.docstring,
        call: None,
    }
}

fn variant_items(owner: &str, place: Place, variant: VariantMetadata) -> Vec<Item> {
    let of = format!("{owner}.{}", variant.name);
    let fields = variant.fields.into_iter();
    let fields: Vec<Item> = fields.map(|field| part(owner, place, &of, field)).collect();
    let head = Item {
        owner: owner.to_owned(),
        place: Place::Variant,
        line: format!("  {of}"),
        name: variant.name,
        docs: variant.docstring,
        call: None,
    };
    std::iter::once(head).chain(fields).collect()
}

fn callable(
    owner: String,
    place: Place,
    name: String,
    gives: Option<&Type>,
    docs: Option<String>,
    call: Call,
) -> Item {
    let inputs = call.inputs.iter().map(|input| {
        let default = input.default.as_ref().map(default_text).unwrap_or_default();
        format!("{}: {}{default}", input.name, type_text(&input.ty))
    });
    let inputs = inputs.collect::<Vec<_>>().join(", ");
    let before = if owner.is_empty() {
        String::from("fn ")
    } else {
        format!("  {owner}.")
    };
    let gives = gives.map_or_else(String::new, |ty| format!(" -> {}", type_text(ty)));
    let throws = call
        .throws
        .as_ref()
        .map_or_else(String::new, |ty| format!(" or {}", type_text(ty)));
    let is_async = if call.is_async { " async" } else { "" };
    Item {
        line: format!("{before}{name}({inputs}){gives}{throws}{is_async}"),
        owner,
        place,
        name,
        docs,
        call: Some(call),
    }
}

fn default_text(default: &DefaultValueMetadata) -> String {
    let text = match default {
        DefaultValueMetadata::Default => "default".to_owned(),
        DefaultValueMetadata::Literal(literal) => match literal {
            LiteralMetadata::None => "none".to_owned(),
            LiteralMetadata::Boolean(value) => value.to_string(),
            LiteralMetadata::UInt(value, ..) => value.to_string(),
            LiteralMetadata::Int(value, ..) => value.to_string(),
            LiteralMetadata::EmptySequence => "[]".to_owned(),
            other => format!("{other:?}"),
        },
    };
    format!(" = {text}")
}

fn type_text(ty: &Type) -> String {
    match ty {
        Type::UInt8 => "u8".into(),
        Type::Int8 => "i8".into(),
        Type::UInt16 => "u16".into(),
        Type::Int16 => "i16".into(),
        Type::UInt32 => "u32".into(),
        Type::Int32 => "i32".into(),
        Type::UInt64 => "u64".into(),
        Type::Int64 => "i64".into(),
        Type::Float32 => "f32".into(),
        Type::Float64 => "f64".into(),
        Type::Boolean => "bool".into(),
        Type::String => "text".into(),
        Type::Bytes => "bytes".into(),
        Type::Optional { inner_type } => format!("{}?", type_text(inner_type)),
        Type::Sequence { inner_type } => format!("[{}]", type_text(inner_type)),
        other => other
            .name()
            .map_or_else(|| format!("{other:?}"), str::to_owned),
    }
}
