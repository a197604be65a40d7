//! Entries that wait for review, with person and words, as one member may read them. Running the server gives
//! no right to read people's texts, so a reviewer who reads does it in a member's name, like an export.
//!
//! **Invariant:** an entry that does not count yet reaches its author and the people who may know who reported,
//! so a unit that the case was sent to learns nothing from it. The reading log has its line before anything is
//! shown.

use std::collections::BTreeMap;

use onegrid_core::domain::stream::{StreamId, streams_of};
use onegrid_core::id::{EnvelopeId, MemberId, RecordId};
use onegrid_core::record::Record;
use onegrid_core::wire::verdict::{Status, Verdict};

use super::export::{Permit, what, words};
use crate::directory::routing::At;
use crate::error::{Problem, Result};
use crate::feed::readings;
use crate::ingest::Waiting;
use crate::records;
use crate::registry::audit;
use crate::server::Server;
use crate::store::Reader;

/// The readable part of an entry that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// The author with the name that colleagues see; `None` if it is no person.
    pub by: Option<(MemberId, Option<String>)>,
    /// Name of the move, `report` or `edit`.
    pub what: &'static str,
    /// Title of the record.
    pub title: Option<String>,
    /// Words of the entry.
    pub words: Option<String>,
}

/// Returns the readable parts of entries, in the name of a member. Entries of records that the member may not read
/// are left out. The audit log notes the look, and the reading log each sensitive record.
pub fn read(
    server: &Server,
    waiting: &[Waiting],
    reader: MemberId,
    actor: &str,
    now_ms: i64,
) -> Result<BTreeMap<EnvelopeId, Held>> {
    let actor = actor.to_owned();
    server.store().write::<_, Problem>(move |tx| {
        let subject = reader.to_string();
        Ok(audit::note(tx, now_ms, &actor, "review.shown", &subject)?)
    })?;
    let mut by_record: BTreeMap<RecordId, Vec<EnvelopeId>> = BTreeMap::new();
    for one in waiting {
        by_record.entry(one.record).or_default().push(one.envelope);
    }
    let (found, lines) = server.store().read::<_, Problem>(|tx| {
        let permit = Permit::of(server, tx, reader, now_ms)?;
        let (mut found, mut lines) = (BTreeMap::new(), Vec::new());
        for (id, envelopes) in &by_record {
            let mut record = records::load(tx, &server.shared.certificates, *id)?;
            let Some(stream) = readable_by(server, tx, &permit, &mut record, now_ms)? else {
                continue;
            };
            let Some(facts) = record.genesis() else {
                continue;
            };
            let kind = (facts.kind, facts.audience);
            lines.extend(readings::shown(*id, kind, reader, stream, now_ms));
            for envelope in envelopes {
                if let Some(held) = held(tx, &permit, &record, *envelope, stream)? {
                    found.insert(*envelope, held);
                }
            }
        }
        Ok((found, lines))
    })?;
    readings::note(server.store(), lines)?;
    Ok(found)
}

/// The stream that lets the member read the record. A record whose beginning waits has no streams yet, so those
/// count that it would get.
fn readable_by(
    server: &Server,
    tx: &dyn Reader,
    permit: &Permit,
    record: &mut Record,
    now_ms: i64,
) -> Result<Option<StreamId>> {
    let first = record.nodes().first().map(|node| (node.id, node.verdict));
    if let Some((id, Some(verdict))) = first
        && matches!(verdict.status, Status::Held(_))
    {
        // In memory alone: the record as it would be.
        let status = Status::Accepted;
        record.set_verdict(id, Verdict { status, ..verdict });
        let view = server.shared.views.at(tx)?;
        let at = At {
            directory: &view.directory,
            now_ms,
        };
        let streams = record.state().map(|state| streams_of(state, &at));
        let streams = streams.unwrap_or_default();
        return Ok(best_of(permit, streams));
    }
    Ok(best_of(permit, tx.record_streams(record.id())?))
}

/// The stream that tells the member most.
fn best_of(permit: &Permit, streams: impl IntoIterator<Item = StreamId>) -> Option<StreamId> {
    let own = streams.into_iter().filter(|stream| permit.reads(*stream));
    own.max_by_key(|stream| knows_people(*stream))
}

/// Whether the readers of a stream may know who reported.
fn knows_people(stream: StreamId) -> bool {
    matches!(
        stream,
        StreamId::AreaStaff(_) | StreamId::Zone(_) | StreamId::Command(_)
    )
}

fn held(
    tx: &dyn Reader,
    permit: &Permit,
    record: &Record,
    envelope: EnvelopeId,
    stream: StreamId,
) -> Result<Option<Held>> {
    let Some(node) = record.node(envelope) else {
        return Ok(None);
    };
    let certificate = node.certificate.as_deref();
    let author = certificate.and_then(|certificate| certificate.facts().member);
    if !knows_people(stream) && author != Some(permit.member) {
        return Ok(None);
    }
    let by = match author {
        Some(member) => {
            let name = tx.member(member)?.and_then(|row| row.public_name);
            Some((member, name))
        }
        None => None,
    };
    let kind = record.genesis().and_then(|facts| facts.kind.spec());
    let content = kind.and_then(|kind| record.content_in_force(kind));
    Ok(Some(Held {
        by,
        what: what(node),
        title: content.and_then(|content| content.details().title.clone()),
        words: words(node).map(str::to_owned),
    }))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by panic")]
    use onegrid_core::domain::case::Party;
    use onegrid_core::domain::{AreaPath, Grant, Role, Scope};
    use onegrid_core::fixtures::{
        DISPATCHER_GAO, DISTRICT, GAS, GRID_WORKER_CHEN, HANDLER_SHEN, NOW, TOWN,
        VILLAGE_LEAD_QIAN, VOLUNTEER_WANG, area, comment, dispatch_to, triage,
    };
    use onegrid_core::wire::envelope::Envelope;

    use super::*;
    use crate::ingest::tests::world::{SyncPhone, TestServer};
    use crate::store::ReadingKey;

    const YEARS_MS: i64 = 3 * 366 * 24 * 3_600_000;

    fn push(world: &TestServer, phone: &mut SyncPhone, envelopes: &[&Envelope]) {
        let now_ms = phone.clock_ms;
        phone.clock_ms = NOW + 5_000;
        phone.push(&world.server, envelopes);
        phone.clock_ms = now_ms;
    }

    fn shown(world: &TestServer, reader: MemberId) -> BTreeMap<EnvelopeId, Held> {
        let waiting = world.server.waiting(100).unwrap();
        read(&world.server, &waiting, reader, "zhang", NOW).unwrap()
    }

    fn readings(world: &TestServer) -> usize {
        let first = ReadingKey {
            day: 0,
            device: onegrid_core::id::DeviceId([0; 16]),
            record: RecordId([0; 16]),
        };
        let rows = world.server.store().read(|tx| tx.readings(first, 100));
        rows.unwrap().len()
    }

    /// A report whose very beginning waits, because the clock of the phone is years ahead.
    #[test]
    fn held_report_is_shown_to_those_who_would_read_it() {
        let world = TestServer::new();
        let mut reporter = world.phone(VOLUNTEER_WANG);
        reporter.clock_ms = NOW + YEARS_MS;
        let report = reporter.report("煤气瓶");
        push(&world, &mut reporter, &[&report]);
        world.member(GRID_WORKER_CHEN, vec![GRID_WORKER_CHEN.grant()]);
        let found = shown(&world, GRID_WORKER_CHEN.member());
        let held = &found[&report.id()];
        assert_eq!(held.title.as_deref(), Some("煤气瓶"));
        assert_eq!(held.what, "report");
        let by = held.by.as_ref().map(|(member, _)| *member);
        assert_eq!(by, Some(VOLUNTEER_WANG.member()));
        let log = world.server.store().read(|tx| tx.audit_last()).unwrap();
        let log = log.unwrap();
        assert_eq!(
            (log.action.as_str(), &*log.actor),
            ("review.shown", "zhang")
        );

        let elsewhere = AreaPath::new(&[DISTRICT, TOWN, area(77)]).unwrap();
        let lead = Grant {
            role: Role::VillageLead,
            scope: Scope::Area(elsewhere),
        };
        world.member(VILLAGE_LEAD_QIAN, vec![lead]);
        let found = shown(&world, VILLAGE_LEAD_QIAN.member());
        assert_eq!(found, BTreeMap::new(), "another village");
        assert_eq!(readings(&world), 0, "a hazard is not sensitive");
    }

    /// The unit reads the case, and may not learn from a held entry who reported.
    #[test]
    fn held_word_of_a_reporter_is_hidden_from_the_unit() {
        let world = TestServer::new();
        let mut reporter = world.phone(VOLUNTEER_WANG);
        let report = reporter.report("煤气瓶");
        push(&world, &mut reporter, &[&report]);
        let mut dispatcher = world.phone(DISPATCHER_GAO);
        let id = report.record();
        let triaged = dispatcher.act(id, &[report.id()], &triage());
        let sent = dispatch_to(Party::Unit(GAS));
        let sent = dispatcher.act(id, &[triaged.id()], &sent);
        push(&world, &mut dispatcher, &[&triaged, &sent]);
        reporter.clock_ms = NOW + YEARS_MS;
        let word = reporter.act(id, &[report.id()], &comment("是我报的"));
        push(&world, &mut reporter, &[&word]);

        world.member(HANDLER_SHEN, vec![HANDLER_SHEN.grant()]);
        let found = shown(&world, HANDLER_SHEN.member());
        assert_eq!(found, BTreeMap::new());
        for knows in [DISPATCHER_GAO, VOLUNTEER_WANG] {
            let found = shown(&world, knows.member());
            let held = &found[&word.id()];
            assert_eq!(held.words.as_deref(), Some("是我报的"));
            assert!(held.by.is_some());
        }
    }
}
