//! Batches of envelopes and certificates, interned so that a repeated value travels once.
//!
//! A batch is a version byte and columns (docs/protocol.md, “Batches”). The writer takes headers
//! apart into columns; a header that would change on the way back travels as it is. So
//! `decode(encode(x)) == x`, bit for bit, for every input, well formed or not. Hashes and
//! signatures stay valid.

use super::columns::ColumnError;
use super::envelope::RawEnvelope;
use super::status::{status_code, status_of};
use super::verdict::Verdict;
use crate::trust::certificate::RawCertificate;

mod layout;
mod reader;
mod writer;

use layout::VERDICTS;
pub(super) use layout::{Actor, named, read_actor, write_actor};
use reader::read;
use writer::Writer;

type Batch = (Vec<RawCertificate>, Vec<RawEnvelope>);
type JudgedBatch = (Vec<RawCertificate>, Vec<(RawEnvelope, Verdict)>);

/// Writes envelopes, in order.
#[must_use]
pub fn encode(certificates: &[RawCertificate], envelopes: &[RawEnvelope]) -> Vec<u8> {
    Writer::new(certificates).finish(envelopes.iter())
}

/// Reads what [`encode`] wrote.
pub fn decode(bytes: &[u8]) -> Result<Batch, ColumnError> {
    let (certificates, envelopes, verdicts) = read(bytes)?;
    verdicts.end()?;
    Ok((certificates, envelopes))
}

/// Writes envelopes with their verdicts, in order.
#[must_use]
pub fn encode_judged(
    certificates: &[RawCertificate],
    envelopes: &[(RawEnvelope, Verdict)],
) -> Vec<u8> {
    let mut writer = Writer::new(certificates);
    let mut last = (0, 0);
    for (_, verdict) in envelopes {
        writer.out.uint(VERDICTS, status_code(verdict.status));
        writer.out.delta(VERDICTS, verdict.at_ms, last.0);
        writer
            .out
            .delta(VERDICTS, i64::from(verdict.generation), last.1);
        last = (verdict.at_ms, i64::from(verdict.generation));
    }
    writer.finish(envelopes.iter().map(|(envelope, _)| envelope))
}

/// Reads what [`encode_judged`] wrote.
pub fn decode_judged(bytes: &[u8]) -> Result<JudgedBatch, ColumnError> {
    let (certificates, envelopes, mut column) = read(bytes)?;
    let mut last = (0, 0);
    let mut judged = Vec::new();
    for envelope in envelopes {
        let status = status_of(column.uint()?).ok_or(ColumnError)?;
        last = (column.delta(last.0)?, column.delta(last.1)?);
        let generation = u32::try_from(last.1).map_err(|_| ColumnError)?;
        judged.push((
            envelope,
            Verdict {
                status,
                at_ms: last.0,
                generation,
            },
        ));
    }
    column.end()?;
    Ok((certificates, judged))
}

#[cfg(test)]
#[path = "intern_tests.rs"]
mod tests;
