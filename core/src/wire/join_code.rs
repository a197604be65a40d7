//! The QR code by which people join a record while no phone has a network.
//!
//! ```text
//!  ONEGRIDJ1: deployment · record · time, minutes, signature of the lead · certificate of the lead · [Genesis]
//! ```
//!
//! A phone that has not got the record learns it from the code: the code holds the envelope that made the record,
//! and the certificate of its author. So the phone stores the same bytes as it gets from a sync, and every check
//! of a sync is made. The lead's signature over record and time is the proof that a phone stood beside the lead.

use std::str::FromStr;

use minicbor::{Decode, Encode};

use super::envelope::{Envelope, RawEnvelope};
use crate::base32;
use crate::cbor::canonical;
use crate::domain::walk::Seals;
use crate::domain::walk::checkpoint::DEPLOYMENT_BYTES;
use crate::domain::walk::join::{JoinProof, Validity};
use crate::id::RecordId;
use crate::limits::{JOIN_CODE_CHARS_MAX, JOIN_MINUTES_MAX};
use crate::trust::certificate::{Anchors, Certificate, RawCertificate};
use crate::trust::sign::{Purpose, SecretKey};
use crate::trust::{WalkSeals, deployment_mark};

const PREFIX: &str = "ONEGRIDJ1:";
const PREFIX_ANY: &str = "ONEGRIDJ";

coded_error! {
    /// The reason why a code cannot be made or does not let a person join.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
    pub enum JoinError {
        /// Another text, or damaged.
        #[error("join.bad_code")]
        BadCode,
        /// A newer app made it.
        #[error("join.newer_code")]
        NewerCode,
        /// It is of another district.
        #[error("join.other_district")]
        OtherDistrict,
        /// Certificate or signature do not hold.
        #[error("join.not_genuine")]
        NotGenuine,
        /// Its time is over.
        #[error("join.expired")]
        Expired,
        /// It is from a time to come, so the clocks of the phones differ.
        #[error("join.early")]
        Early,
        /// The phone of its maker is revoked.
        #[error("join.revoked")]
        Revoked,
        /// The phone made it itself.
        #[error("join.own_code")]
        OwnCode,
        /// The record is not on this phone, and the code does not hold it.
        #[error("join.no_record")]
        NoRecord,
        /// Only the phone that made the record shows its code.
        #[error("join.not_lead")]
        NotLead,
        /// The record is over, or its kind takes no one in.
        #[error("join.closed")]
        Closed,
        /// A code is valid for 1 to [`JOIN_MINUTES_MAX`] minutes.
        #[error("join.minutes")]
        Minutes,
        /// The record is too long for a QR code.
        #[error("join.too_large")]
        TooLarge,
    }
}

/// A code as read. It proves nothing before [`JoinCode::verify`].
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct JoinCode {
    #[cbor(n(0), with = "minicbor::bytes")]
    deployment: [u8; DEPLOYMENT_BYTES],
    #[n(1)]
    record: RecordId,
    #[n(2)]
    proof: JoinProof,
    #[n(3)]
    certificate: RawCertificate,
    #[n(4)]
    genesis: Option<RawEnvelope>,
}

impl JoinCode {
    /// The lead's phone makes a code. `genesis`: the envelope that made the record, for phones that have not got
    /// it.
    pub fn make(
        (record, genesis): (RecordId, Option<RawEnvelope>),
        certificate: &Certificate,
        (key, anchors): (&SecretKey, &Anchors),
        (made_ms, minutes): (i64, u8),
    ) -> Result<Self, JoinError> {
        if !(1..=JOIN_MINUTES_MAX).contains(&minutes) {
            return Err(JoinError::Minutes);
        }
        let bytes = JoinProof::signed_bytes(record, made_ms, minutes);
        let code = Self {
            deployment: deployment_mark(anchors.authority()),
            record,
            proof: JoinProof {
                made_ms,
                minutes,
                signature: key.sign(Purpose::JoinCode, anchors.authority(), &[&bytes]),
            },
            certificate: certificate.raw().clone(),
            genesis,
        };
        if code.to_string().len() > JOIN_CODE_CHARS_MAX {
            return Err(JoinError::TooLarge);
        }
        Ok(code)
    }

    /// Checks certificate, signature and time, and that the Genesis is the one of the record and by the same
    /// device.
    pub fn verify(&self, anchors: &Anchors, now_ms: i64) -> Result<Certificate, JoinError> {
        if self.deployment != deployment_mark(anchors.authority()) {
            return Err(JoinError::OtherDistrict);
        }
        let certificate = Certificate::verify(self.certificate.clone(), anchors)
            .map_err(|_| JoinError::NotGenuine)?;
        let seals = WalkSeals {
            anchors,
            lead: Some(certificate.device_key()),
        };
        if !seals.is_of_lead(self.record, &self.proof) {
            return Err(JoinError::NotGenuine);
        }
        if let Some(raw) = &self.genesis {
            let genesis = Envelope::parse(raw.clone()).map_err(|_| JoinError::NotGenuine)?;
            let is_its_own = genesis.header().record.is_none()
                && genesis.record() == self.record
                && genesis.header().author == certificate.facts().device;
            if !is_its_own {
                return Err(JoinError::NotGenuine);
            }
        }
        match self.proof.validity(now_ms) {
            Validity::Valid => Ok(certificate),
            Validity::Expired => Err(JoinError::Expired),
            Validity::Early => Err(JoinError::Early),
        }
    }

    /// The record.
    #[must_use]
    pub fn record(&self) -> RecordId {
        self.record
    }

    /// The lead's statement.
    #[must_use]
    pub fn proof(&self) -> JoinProof {
        self.proof
    }

    /// The envelope that made the record, if the code holds it.
    #[must_use]
    pub fn genesis(&self) -> Option<&RawEnvelope> {
        self.genesis.as_ref()
    }
}

/// The text of the QR code: upper case and digits, which a QR code packs tightly.
impl std::fmt::Display for JoinCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let bytes = minicbor::to_vec(self).map_err(|_| std::fmt::Error)?;
        write!(f, "{PREFIX}{}", base32::encode(&bytes))
    }
}

impl FromStr for JoinCode {
    type Err = JoinError;

    fn from_str(text: &str) -> Result<Self, JoinError> {
        let text = text.trim();
        let starts = |prefix: &str| {
            let start = text.get(..prefix.len());
            start.is_some_and(|start| start.eq_ignore_ascii_case(prefix))
        };
        if text.len() > JOIN_CODE_CHARS_MAX || !starts(PREFIX_ANY) {
            return Err(JoinError::BadCode);
        }
        if !starts(PREFIX) {
            return Err(JoinError::NewerCode);
        }
        let bytes = base32::decode(&text[PREFIX.len()..]).ok_or(JoinError::BadCode)?;
        canonical::check(&bytes).map_err(|_| JoinError::BadCode)?;
        canonical::decode_signed(&bytes).ok_or(JoinError::BadCode)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::sync::Arc;

    use super::*;
    use crate::domain::kinds::hazard;
    use crate::domain::walk::section::SectionId;
    use crate::fixtures::{Deployment, GRID_WORKER_CHEN, Writer, facts, home};
    use crate::trust::certificate::{Facts, Stamp};
    use crate::trust::print_checkpoint;
    use crate::wire::golden_tests::golden;

    const MADE_MS: i64 = 1_763_000_000_000;

    /// The phone of the golden vectors, with a record of its own.
    fn lead(town: &Deployment) -> (SecretKey, Certificate, Envelope) {
        let (key, person) = (SecretKey::from_seed(&[3; 32]), GRID_WORKER_CHEN);
        let facts = Facts {
            issued_ms: 1_762_900_000_000,
            ..facts(&key.public(), person.member(), vec![person.grant()])
        };
        let certificate = town.certify(&facts);
        let own = Arc::new(certificate.clone());
        let mut writer = Writer::new(key.clone(), own, town.authority());
        let content = crate::fixtures::hazard("x").into();
        let genesis = writer.genesis(hazard::KIND, &content, home());
        (key, certificate, genesis)
    }

    fn made(town: &Deployment, genesis: Option<&Envelope>) -> JoinCode {
        let (key, certificate, first) = lead(town);
        let raw = genesis.map(|genesis| genesis.raw().clone());
        let keys = (&key, &*town.anchors);
        JoinCode::make((first.record(), raw), &certificate, keys, (MADE_MS, 10)).unwrap()
    }

    fn refusal(town: &Deployment, code: &JoinCode) -> Option<&'static str> {
        code.verify(&town.anchors, MADE_MS)
            .err()
            .map(|error| error.code())
    }

    #[test]
    fn texts_of_walks_never_change() {
        let town = Deployment::new();
        let (_, _, genesis) = lead(&town);
        let stamp = Stamp {
            time_ms: MADE_MS,
            generation: 1,
        };
        let section = SectionId::new("wulin-7").unwrap();
        let checkpoint = print_checkpoint(section, 3, stamp, (&town.server, town.authority()));
        let texts = [
            checkpoint.to_string(),
            made(&town, Some(&genesis)).to_string(),
            made(&town, None).to_string(),
        ];
        golden("walk_codes", &minicbor::to_vec(texts.to_vec()).unwrap());
    }

    #[test]
    fn code_is_of_one_lead_and_record() {
        let town = Deployment::new();
        let (key, certificate, genesis) = lead(&town);
        let code = made(&town, Some(&genesis));
        assert_eq!(refusal(&town, &code), None);
        assert_eq!(code.to_string().to_lowercase().parse(), Ok(code.clone()));
        let other = RecordId([1; 16]);
        let keys = (&key, &*town.anchors);
        let raw = Some(genesis.raw().clone());
        let moved = JoinCode::make((other, raw.clone()), &certificate, keys, (MADE_MS, 10));
        assert_eq!(
            refusal(&town, &moved.unwrap()),
            Some("join.not_genuine"),
            "another Genesis"
        );
        // Another member shows the record of the lead.
        let stranger = SecretKey::from_seed(&[4; 32]);
        let person = GRID_WORKER_CHEN;
        let theirs = town.certify(&facts(
            &stranger.public(),
            person.member(),
            vec![person.grant()],
        ));
        let keys = (&stranger, &*town.anchors);
        let taken = JoinCode::make((genesis.record(), raw), &theirs, keys, (MADE_MS, 10)).unwrap();
        assert_eq!(refusal(&town, &taken), Some("join.not_genuine"));
        let stolen = JoinCode {
            certificate: certificate.raw().clone(),
            ..taken
        };
        assert_eq!(refusal(&town, &stolen), Some("join.not_genuine"));
        let abroad = Deployment::of_root(9);
        assert_eq!(refusal(&abroad, &code), Some("join.other_district"));
        let claimed = JoinCode {
            deployment: deployment_mark(abroad.authority()),
            ..code
        };
        assert_eq!(refusal(&abroad, &claimed), Some("join.not_genuine"));
    }
}
