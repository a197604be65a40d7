//! Enums with stable numeric codes: a number on the wire, a name for people and JSON.

/// A closed enum: an unknown code is an error.
macro_rules! coded_enum {
    ($(#[$doc:meta])* $name:ident, $ty:ty {
        $($(#[$vdoc:meta])* $variant:ident = $code:literal, $text:literal;)+
    }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$vdoc])* $variant,)+ }

        impl $name {
            /// Every value, in the order of its declaration.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The stable code.
            #[must_use]
            pub const fn code(self) -> $ty {
                match self { $(Self::$variant => $code,)+ }
            }

            /// The value of a code, if this version knows it.
            #[must_use]
            pub const fn from_code(code: $ty) -> Option<Self> {
                match code { $($code => Some(Self::$variant),)+ _ => None }
            }

            /// The stable name, as in JSON, the docs and the tables.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $text,)+ }
            }

            /// The value of a name.
            #[must_use]
            pub fn from_name(name: &str) -> Option<Self> {
                match name { $($text => Some(Self::$variant),)+ _ => None }
            }
        }

        coded_impls!($name, $ty);
    };
}

/// An open enum: an unknown code is kept as `Unknown(code)` and written back unchanged.
macro_rules! open_coded_enum {
    ($(#[$doc:meta])* $name:ident, $ty:ty {
        $($(#[$vdoc:meta])* $variant:ident = $code:literal, $text:literal;)+
    }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $($(#[$vdoc])* $variant,)+
            /// A code of a newer version. Never build it from a known code, but use `from_code`.
            Unknown($ty),
        }

        impl $name {
            /// Every known value, in the order of its declaration.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The stable code.
            #[must_use]
            pub const fn code(self) -> $ty {
                match self { $(Self::$variant => $code,)+ Self::Unknown(code) => code }
            }

            /// The value of a code.
            #[must_use]
            #[allow(clippy::unnecessary_wraps, reason = "one signature for open and closed enums")]
            pub const fn from_code(code: $ty) -> Option<Self> {
                Some(match code { $($code => Self::$variant,)+ other => Self::Unknown(other) })
            }

            /// The stable name, as in JSON, the docs and the tables.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $text,)+ Self::Unknown(_) => "unknown" }
            }

            /// The value of a name, if this version knows it.
            #[must_use]
            pub fn from_name(name: &str) -> Option<Self> {
                match name { $($text => Some(Self::$variant),)+ _ => None }
            }
        }

        coded_impls!($name, $ty);
    };
}

macro_rules! coded_impls {
    ($name:ident, $ty:ty) => {
        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.name())
            }
        }

        impl<C> minicbor::Encode<C> for $name {
            fn encode<W: minicbor::encode::Write>(
                &self,
                e: &mut minicbor::Encoder<W>,
                ctx: &mut C,
            ) -> Result<(), minicbor::encode::Error<W::Error>> {
                self.code().encode(e, ctx)
            }
        }

        impl<'b, C> minicbor::Decode<'b, C> for $name {
            fn decode(
                d: &mut minicbor::Decoder<'b>,
                ctx: &mut C,
            ) -> Result<Self, minicbor::decode::Error> {
                let at = d.position();
                Self::from_code(<$ty>::decode(d, ctx)?).ok_or_else(|| {
                    minicbor::decode::Error::message(concat!("unknown ", stringify!($name))).at(at)
                })
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.name())
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let name = <String as serde::Deserialize>::deserialize(deserializer)?;
                Self::from_name(&name).ok_or_else(|| {
                    serde::de::Error::custom(concat!("unknown name of ", stringify!($name)))
                })
            }
        }
    };
}
