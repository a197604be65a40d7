//! Enums with stable codes, each written once. A value has a number on the wire and a name for people and JSON.
//! An error has a code of `texts.tsv`.

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

/// An error enum with a stable code for each variant. It is written as a `thiserror` enum. The text of a variant is
/// its code, or its code and details: `#[error("area.reason: details")]`. A variant with `transparent` or
/// `"{error}"` has the code of the error inside. The payload of a variant with `"{0}"` is the code itself; an enum
/// that owns such a code as a `String` is marked with `-> &str`.
macro_rules! coded_error {
    (@pattern $variant:ident $inner:ident transparent) => { Self::$variant { 0: $inner } };
    (@pattern $variant:ident $inner:ident "{0}") => { Self::$variant { 0: $inner } };
    (@pattern $variant:ident $inner:ident "{error}") => { Self::$variant { error: $inner, .. } };
    (@pattern $variant:ident $inner:ident $($text:tt)+) => { Self::$variant { .. } };

    (@code $owner:tt $inner:ident transparent) => { $inner.code() };
    (@code $owner:tt $inner:ident "{error}") => { $inner.code() };
    (@code [static] $inner:ident "{0}") => { *$inner };
    (@code [self] $inner:ident "{0}") => { $inner.as_str() };
    (@code $owner:tt $inner:ident $text:literal $($arguments:tt)*) => {
        $crate::coded::code_in($text)
    };

    (@type [static]) => { &'static str };
    (@type [self]) => { &str };

    (
        @make $owner:tt
        $(#[$attribute:meta])*
        $vis:vis enum $name:ident {
            $(
                $(#[doc = $doc:literal])*
                #[error($($text:tt)+)]
                $variant:ident $(($($tuple:tt)*))? $({$($fields:tt)*})?
            ),+ $(,)?
        }
    ) => {
        $(#[$attribute])*
        $vis enum $name {
            $(
                $(#[doc = $doc])*
                #[error($($text)+)]
                $variant $(($($tuple)*))? $({$($fields)*})?,
            )+
        }

        impl $name {
            /// The stable code, which also names the sentence for a person.
            #[must_use]
            $vis fn code(&self) -> coded_error!(@type $owner) {
                match self {
                    $(
                        coded_error!(@pattern $variant inner $($text)+) => {
                            coded_error!(@code $owner inner $($text)+)
                        }
                    )+
                }
            }
        }
    };

    ($(#[$attribute:meta])* $vis:vis enum $name:ident -> &str { $($variants:tt)+ }) => {
        coded_error! { @make [self] $(#[$attribute])* $vis enum $name { $($variants)+ } }
    };

    ($(#[$attribute:meta])* $vis:vis enum $name:ident { $($variants:tt)+ }) => {
        coded_error! { @make [static] $(#[$attribute])* $vis enum $name { $($variants)+ } }
    };
}

/// The code at the beginning of an error's text.
pub(crate) fn code_in(text: &'static str) -> &'static str {
    text.split_once(": ").map_or(text, |(code, _)| code)
}

#[cfg(test)]
mod tests {
    coded_error! {
        /// An error inside another one.
        #[derive(Debug, thiserror::Error)]
        enum Inner {
            /// The code alone.
            #[error("test.plain")]
            Plain,
            /// The code and details.
            #[error("test.detailed: {0} of {most}", most = 9)]
            Detailed(u8),
            /// The payload is the code.
            #[error("{0}")]
            Told(&'static str),
        }
    }

    coded_error! {
        /// An error that owns a code.
        #[derive(Debug, thiserror::Error)]
        enum Outer -> &str {
            /// The whole error is another one.
            #[error(transparent)]
            Whole(#[from] Inner),
            /// Another error in a place.
            #[error("{error}")]
            Placed {
                /// The place.
                at: u8,
                /// The error.
                error: Inner,
            },
            /// The payload is the code.
            #[error("{0}")]
            Owned(String),
        }
    }

    #[test]
    fn code_is_the_head_of_the_text() {
        let codes = [Inner::Plain, Inner::Detailed(1), Inner::Told("test.told")];
        assert_eq!(
            codes.each_ref().map(Inner::code),
            ["test.plain", "test.detailed", "test.told"]
        );
        assert_eq!(codes[1].to_string(), "test.detailed: 1 of 9");
    }

    #[test]
    fn error_inside_gives_code_and_text() {
        let whole = Outer::from(Inner::Plain);
        assert_eq!(
            (whole.code(), whole.to_string().as_str()),
            ("test.plain", "test.plain")
        );
        let error = Inner::Detailed(2);
        let placed = Outer::Placed { at: 1, error };
        assert_eq!(
            (placed.code(), placed.to_string().as_str()),
            ("test.detailed", "test.detailed: 2 of 9")
        );
        assert!(matches!(placed, Outer::Placed { at: 1, .. }));
        assert_eq!(Outer::Owned("test.owned".to_owned()).code(), "test.owned");
    }
}
