//! Signs whatever a modified app wants, with the member's genuine key and certificate.

use onegrid_core::fixtures::header;
use onegrid_core::id::{EnvelopeId, RecordId};
use onegrid_core::limits::PARENTS_MAX;
use onegrid_core::record::Record;
use onegrid_core::trust::sign::{Authority, Purpose};
use onegrid_core::wire::body::{Body, Change, EventBody, Genesis};
use onegrid_core::wire::envelope::{Envelope, Header, RawEnvelope};
use onegrid_core::wire::message::Bundle;

use crate::town::Phone;

/// The place of an envelope, as its author claims.
#[derive(Debug, Clone)]
pub(super) struct Ground {
    /// The record; `None` for a Genesis.
    pub(super) record: Option<RecordId>,
    /// The parents, in any order.
    pub(super) parents: Vec<EnvelopeId>,
    /// The author's clock, ms UTC.
    pub(super) clock_ms: i64,
    /// The grant of the certificate that the author acts under.
    pub(super) grant: u8,
}

impl Ground {
    /// On top of a record.
    #[must_use]
    pub(super) fn on(record: &Record, clock_ms: i64) -> Self {
        let mut parents = record.heads();
        parents.truncate(PARENTS_MAX);
        Self {
            record: Some(record.id()),
            parents,
            clock_ms,
            grant: 0,
        }
    }
}

/// Signs a body, without the check of rights that a phone makes.
pub(super) fn seal_on(
    phone: &mut Phone,
    ground: &Ground,
    body: &Body,
    authority: &Authority,
) -> Result<Envelope, String> {
    let certificate = phone.replica().certificate().cloned();
    let certificate = certificate.ok_or("the attacker is not enrolled")?;
    let header = Header {
        grant: ground.grant,
        directory_seen: certificate.facts().issued_at,
        ..header(
            &certificate,
            ground.record,
            &ground.parents,
            ground.clock_ms,
        )
    };
    let sealed = Envelope::seal(header, body, &phone.key(), authority);
    sealed.map_err(|error| format!("forging: {}", error.code()))
}

/// Signs a body on top of a record as its phone would, but without the phone's check of rights.
pub fn seal(
    phone: &mut Phone,
    (loaded, clock_ms): (&Record, i64),
    body: &Body,
    authority: &Authority,
) -> Result<(EnvelopeId, Bundle), String> {
    let sealed = seal_on(phone, &Ground::on(loaded, clock_ms), body, authority)?;
    Ok((sealed.id(), bundle(phone, &[sealed])?))
}

/// Signs a Genesis that breaks rules of form.
pub(super) fn signed_genesis(
    phone: &mut Phone,
    genesis: &Genesis,
    clock_ms: i64,
    authority: &Authority,
) -> Result<RawEnvelope, String> {
    let certificate = phone.replica().certificate().cloned();
    let certificate = certificate.ok_or("the attacker is not enrolled")?;
    let header = Header {
        body_kind: Body::Genesis(genesis.clone()).kind(),
        directory_seen: certificate.facts().issued_at,
        ..header(&certificate, None, &[], clock_ms)
    };
    let mut raw = RawEnvelope {
        header: minicbor::to_vec(&header).unwrap(),
        body: minicbor::to_vec(genesis).unwrap(),
        signature: [0; 64],
    };
    let hash = raw.hash();
    let key = phone.key();
    raw.signature = key.sign(Purpose::Envelope, authority, &[hash.as_bytes()]);
    Ok(raw)
}

/// Puts envelopes of a phone into a bundle with the phone's certificate.
pub(super) fn bundle(phone: &mut Phone, envelopes: &[Envelope]) -> Result<Bundle, String> {
    let certificate = phone.replica().certificate().cloned();
    let certificate = certificate.ok_or("the attacker is not enrolled")?;
    let raw = envelopes.iter().map(|envelope| envelope.raw().clone());
    Ok(Bundle {
        certificates: vec![certificate.raw().clone()],
        envelopes: raw.collect(),
    })
}

/// Makes the body of a change.
#[must_use]
pub(super) fn change(change: Vec<u8>, salt: [u8; 16]) -> Body {
    Body::Change(Change {
        salt: Some(salt),
        change,
        replaces: None,
    })
}

/// Makes the body of an event.
#[must_use]
pub(super) fn event((code, data): (u16, Vec<u8>), fold_version: u8, salt: [u8; 16]) -> Body {
    Body::Event(EventBody {
        salt: Some(salt),
        code,
        fold_version,
        data,
        on_behalf_of: None,
        replaces: None,
    })
}
