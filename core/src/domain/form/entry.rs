//! A template in the directory, and all templates of a deployment.
//!
//! A template of a newer format has its id and version beside its bytes, so a phone that cannot read it
//! still knows which answers belong to it, and passes it on unchanged.

use std::collections::BTreeMap;
use std::sync::Arc;

use minicbor::decode::{Decoder, Error as DecodeError};
use minicbor::encode::{Encoder, Error as EncodeError, Write};
use minicbor::{Decode, Encode};

use super::error::TemplateError;
use super::name::TemplateId;
use super::shipped;
use super::template::Template;
use crate::limits::FORM_BYTES_MAX;

/// One version of a template, as the directory carries it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TemplateEntry {
    /// A template that this app reads.
    Known(Arc<Template>),
    /// A template that needs a newer app, kept as received.
    Newer {
        /// The stable id.
        id: TemplateId,
        /// The version, from 1.
        version: u32,
        /// The canonical bytes of the newer format.
        bytes: Vec<u8>,
    },
}

/// The id and version of a published template have another content already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("directory.template_changed")]
pub struct TemplateChanged;

impl TemplateChanged {
    /// The stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        "directory.template_changed"
    }
}

/// The templates of a deployment by id and version, from the app and from the directory.
///
/// The content of a version never changes, because answers refer to it by its number. So the first
/// entry of the directory wins over a later one. An entry of the directory also wins over a shipped
/// template, because the server signed it, and all phones have it whatever their app ships.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Templates {
    published: BTreeMap<(TemplateId, u32), TemplateEntry>,
}

impl From<Template> for TemplateEntry {
    fn from(template: Template) -> Self {
        Self::Known(Arc::new(template))
    }
}

impl TemplateEntry {
    /// Reads the canonical bytes of a template. `id` and `version` name it where the format is newer.
    pub fn read(id: TemplateId, version: u32, bytes: &[u8]) -> Result<Self, TemplateError> {
        let malformed = TemplateError::Malformed { line: 1, column: 1 };
        match Template::parse(bytes) {
            // One template has one spelling, so that all copies have the same hash.
            Ok(template)
                if *template.id() == id
                    && template.version() == version
                    && template.to_bytes() == bytes =>
            {
                Ok(template.into())
            }
            Ok(_) => Err(malformed),
            Err(TemplateError::Newer { .. }) if version > 0 => Ok(Self::Newer {
                id,
                version,
                bytes: bytes.to_vec(),
            }),
            Err(error) => Err(error),
        }
    }

    /// The stable id.
    #[must_use]
    pub fn id(&self) -> &TemplateId {
        match self {
            Self::Known(template) => template.id(),
            Self::Newer { id, .. } => id,
        }
    }

    /// The version, from 1.
    #[must_use]
    pub fn version(&self) -> u32 {
        match self {
            Self::Known(template) => template.version(),
            Self::Newer { version, .. } => *version,
        }
    }

    /// The template; `None` where it needs a newer app.
    #[must_use]
    pub fn template(&self) -> Option<&Arc<Template>> {
        match self {
            Self::Known(template) => Some(template),
            Self::Newer { .. } => None,
        }
    }

    /// The canonical bytes of the template.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        match self {
            Self::Known(template) => template.to_bytes(),
            Self::Newer { bytes, .. } => bytes.clone(),
        }
    }
}

impl<C> Encode<C> for TemplateEntry {
    fn encode<W: Write>(&self, e: &mut Encoder<W>, _: &mut C) -> Result<(), EncodeError<W::Error>> {
        let e = e.array(3)?.str(self.id().as_str())?.u32(self.version())?;
        e.bytes(&self.to_bytes())?.ok()
    }
}

impl<'b, C> Decode<'b, C> for TemplateEntry {
    fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Self, DecodeError> {
        let at = d.position();
        let refused = |reason: &'static str| DecodeError::message(reason).at(at);
        if d.array()? != Some(3) {
            return Err(refused("a template has three parts"));
        }
        let id = d.str()?.parse().map_err(|_| refused("form.bad_name"))?;
        let version = d.u32()?;
        let bytes = d.bytes()?;
        if bytes.len() > FORM_BYTES_MAX {
            return Err(refused("form.too_large"));
        }
        Self::read(id, version, bytes).map_err(|error| refused(error.code()))
    }
}

impl Templates {
    /// Adds a template of the directory. A known one again changes nothing.
    pub fn apply(&mut self, entry: TemplateEntry) -> Result<(), TemplateChanged> {
        let name = (entry.id().clone(), entry.version());
        match self.published.get(&name) {
            Some(known) if *known == entry => Ok(()),
            Some(_) => Err(TemplateChanged),
            None => {
                self.published.insert(name, entry);
                Ok(())
            }
        }
    }

    /// A version of a template.
    #[must_use]
    pub fn get(&self, id: &TemplateId, version: u32) -> Option<TemplateEntry> {
        let published = self.published.get(&(id.clone(), version)).cloned();
        let shipped = || {
            Some(TemplateEntry::Known(Arc::clone(shipped::find(
                id, version,
            )?)))
        };
        published.or_else(shipped)
    }

    /// Every version of every template, in the order of ids and versions.
    #[must_use]
    pub fn all(&self) -> Vec<TemplateEntry> {
        let mut all = self.published.clone();
        for shipped in shipped::all() {
            let name = (shipped.id().clone(), shipped.version());
            all.entry(name)
                .or_insert_with(|| TemplateEntry::Known(Arc::clone(shipped)));
        }
        all.into_values().collect()
    }

    /// The templates of the directory alone.
    pub fn published(&self) -> impl Iterator<Item = &TemplateEntry> {
        self.published.values()
    }
}
