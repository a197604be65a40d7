//! The server's view, read from its store, for assertions that depend on no phone.

use std::collections::BTreeMap;

use onegrid_core::domain::kinds::stages;
use onegrid_core::id::RecordId;
use onegrid_core::texts::Lang;
use onegrid_core::wire::verdict::Status;
use onegrid_server::admin::verify;
use onegrid_server::error::Problem;
use onegrid_server::server::Server;
use serde_json::{Value, json};

use super::answer::Answer;

/// Returns one record: its stage, and its envelopes by verdict.
pub(super) fn record(server: &Server, id: RecordId) -> Answer {
    let (row, envelopes, streams) = server.store().read::<_, Problem>(|tx| {
        Ok((
            tx.record(id)?,
            tx.envelopes(id)?,
            tx.record_streams(id)?.len(),
        ))
    })?;
    let Some(row) = row else {
        return Ok(json!({ "known": false, "envelopes": envelopes.len() }));
    };
    let (mut accepted, mut void, mut held) = (0, 0, 0);
    let mut codes: BTreeMap<&str, u32> = BTreeMap::new();
    for stored in &envelopes {
        match stored.verdict.status {
            Status::Accepted | Status::Admitted => accepted += 1,
            Status::Void(_) => void += 1,
            Status::Held(_) => held += 1,
            Status::Refused(_) => {}
        }
        *codes.entry(stored.verdict.status.code()).or_default() += 1;
    }
    Ok(json!({
        "known": true,
        "stage": stages::name_of(row.state),
        "open": row.open,
        "category": row.category,
        "envelopes": envelopes.len(),
        "accepted": accepted,
        "void": void,
        "held": held,
        "codes": codes,
        "streams": streams,
    }))
}

/// Returns the numbers of stored things.
pub(super) fn counts(server: &Server) -> Result<Value, Problem> {
    let counts = server.store().read::<_, Problem>(|tx| Ok(tx.counts()?))?;
    Ok(json!({
        "records": counts.records,
        "open": counts.open,
        "envelopes": counts.envelopes,
        "held": counts.held,
        "devices": counts.devices,
        "members": counts.members,
        "generation": server.generation()?,
    }))
}

/// Walks through the whole store and names every contradiction.
pub(super) fn verify(server: &Server) -> Answer {
    let found = verify::verify(server, &mut |_, _| {})?;
    let wrong: Vec<String> = found
        .wrong
        .iter()
        .map(|phrase| phrase.sentence(Lang::En))
        .collect();
    Ok(json!({
        "records": found.records,
        "envelopes": found.envelopes,
        "wrong": wrong,
    }))
}
