//! News for the person: found where the projections of a record are made, shown once for each cause.
//!
//! **Which causes are news.** Only causes by other people that are newer than the enrolment of this phone,
//! by the clock of the server. So a first load shows no news from the time before the enrolment. A rebuild
//! finds only known causes, so it notes them as shown. A noted cause is never shown again.

use super::super::error::ReplicaError;
use super::super::identity::Own;
use super::super::reader::Reader;
use super::super::table::meta::{self, Name};
use super::super::table::notification::{self, News, Notification};
use crate::domain::case::state::{Side, TimelineItem};
use crate::domain::case::{Conflict, Event, Move, Outcome, Party, RecordState};
use crate::domain::notification::NotificationKind as Kind;
use crate::id::{EnvelopeId, Hash, MemberId, RecordId};
use crate::limits::LIST_ROWS_MAX;
use crate::record::{Node, NodeBody, Record};
use rusqlite::Connection;

/// Whether a cause is new to the person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Telling {
    /// The cause arrives now.
    New,
    /// The cause was known before.
    Known,
}

/// Notes the news of a record.
pub(super) fn of_record(
    conn: &Connection,
    record: &Record,
    own: &Own,
    telling: Telling,
) -> Result<(), ReplicaError> {
    let (Some(me), Some(state)) = (own.member, record.state()) else {
        return Ok(());
    };
    let finder = Finder {
        record,
        state,
        me,
        own,
    };
    let since_ms = since_ms(conn)?;
    for news in finder.find() {
        if news.at_ms > since_ms {
            notification::insert(conn, &news, telling == Telling::Known)?;
        }
    }
    Ok(())
}

/// Notes news that does not depend on the state of a record.
pub(in crate::replica) fn tell(conn: &Connection, news: &News) -> Result<(), ReplicaError> {
    Ok(notification::insert(conn, news, false)?)
}

/// Causes after this instant are shown, ms UTC.
fn since_ms(conn: &Connection) -> Result<i64, ReplicaError> {
    let stored = meta::get_fixed(conn, Name::NotifySince)?;
    Ok(stored.map_or(i64::MAX, i64::from_be_bytes))
}

/// Notes the enrolment of the phone: from now on it shows news. A renewal changes nothing.
pub(in crate::replica) fn enrolled(conn: &Connection, at_ms: i64) -> Result<(), ReplicaError> {
    if meta::get(conn, Name::NotifySince)?.is_none() {
        meta::put(conn, Name::NotifySince, &at_ms.to_be_bytes())?;
    }
    Ok(())
}

/// Looks through one record.
struct Finder<'a> {
    record: &'a Record,
    state: &'a RecordState,
    me: MemberId,
    own: &'a Own,
}

impl Finder<'_> {
    fn find(&self) -> Vec<News> {
        let mut found = Vec::new();
        let effective = || {
            let items = self.state.timeline.iter();
            items.filter(|item| item.outcome == Outcome::Effective && item.by != Some(self.me))
        };
        for item in effective() {
            let Some(node) = self.record.node(item.id) else {
                continue;
            };
            if let NodeBody::Event { event, .. } = &node.body {
                found.extend(self.event(event, item, node));
            }
        }
        if self.mine() {
            found.extend(effective().find_map(|item| self.seen(item)));
            let last = effective()
                .rfind(|item| matches!(item.movement, Some(Move::Resolve | Move::HandledOnSpot)));
            let case = self.state.case();
            let handled = case.is_some_and(|case| case.handled_ms.is_some());
            if let Some(item) = last.filter(|_| handled) {
                found.push(self.news(Kind::Handled, item.id.0, item));
            }
        }
        found.extend(
            self.state
                .conflicts
                .iter()
                .filter_map(|one| self.conflict(one)),
        );
        found.extend(self.field_conflicts());
        found
    }

    fn mine(&self) -> bool {
        self.state.reporter == Some(self.me)
    }

    fn event(&self, event: &Event, item: &TimelineItem, node: &Node) -> Option<News> {
        if let Some(party) = event.assignee() {
            let open = self.state.open_assignments().any(|one| one.id == node.id);
            let kind = match party {
                Party::Member(member) if member == self.me => Kind::DispatchedToMe,
                Party::Unit(unit) if self.own.units.contains(&unit) => Kind::DispatchedToUnit,
                _ => return None,
            };
            return open.then(|| self.news(kind, node.id.0, item));
        }
        match event {
            Event::Comment(comment) if comment.mentions.contains(&self.me) => {
                Some(self.news(Kind::Mentioned, node.id.0, item))
            }
            Event::Return(back) => {
                let by = self.state.outcome(back.assignment)?.by;
                (by == Some(self.me)).then(|| self.news(Kind::Returned, node.id.0, item))
            }
            _ => None,
        }
    }

    fn seen(&self, item: &TimelineItem) -> Option<News> {
        let by_office = || {
            let role = self.record.node(item.id)?.role()?;
            role.opens_for_reporter().then_some(())
        };
        (item.movement == Some(Move::Seen)).then_some(())?;
        by_office()?;
        Some(self.news(Kind::Seen, self.record.id().0, item))
    }

    fn conflict(&self, conflict: &Conflict) -> Option<News> {
        let (first, second) = match conflict {
            Conflict::DangerOverEnding { ending, danger } => (ending, danger),
            Conflict::WorkOverEnding { ending, work } => (ending, work),
            Conflict::DoubleDispatch { first, second } => (first, second),
            Conflict::Rival { in_force, other } => (in_force, other),
            Conflict::OwnWork { judgement, work } => (judgement, work),
            Conflict::BrokenMerge { merge, undone, .. } => (merge, undone),
        };
        let mine = |side: &Side| side.by == Some(self.me);
        if !self.mine() && !mine(first) && !mine(second) {
            return None;
        }
        let at_ms = self.at_ms(first.id).max(self.at_ms(second.id));
        let cause = Hash::of(&[&first.id.0, &second.id.0]).first16();
        Some(News {
            kind: Kind::Conflict,
            cause,
            at_ms,
            record: Some(self.record.id()),
            envelope: Some(second.id),
        })
    }

    fn field_conflicts(&self) -> Vec<News> {
        let Some(document) = self.record.document() else {
            return Vec::new();
        };
        let conflicts = document.conflicts();
        conflicts
            .iter()
            .filter_map(|conflict| {
                let writers: Vec<&Node> = conflict
                    .versions
                    .iter()
                    .filter_map(|version| self.writer(&version.change))
                    .collect();
                let wrote = |node: &&Node| member_of(node) == Some(self.me);
                if !self.mine() && !writers.iter().any(wrote) {
                    return None;
                }
                let name = conflict.field.name();
                let mut parts: Vec<&[u8]> = vec![name.as_bytes()];
                parts.extend(conflict.versions.iter().map(|one| one.change.0.as_slice()));
                parts[1..].sort_unstable();
                let at_ms = writers.iter().map(|node| self.at_ms(node.id)).max()?;
                Some(News {
                    kind: Kind::Conflict,
                    cause: Hash::of(&parts).first16(),
                    at_ms,
                    record: Some(self.record.id()),
                    envelope: None,
                })
            })
            .collect()
    }

    fn writer(&self, change: &Hash) -> Option<&Node> {
        let wrote = |node: &&Node| {
            let info = node.change().and_then(|known| known.info.as_ref());
            info.is_some_and(|info| info.hash == *change)
        };
        self.record.nodes().iter().find(wrote)
    }

    /// The time of the server's verdict on an envelope; without a verdict, its effective time.
    fn at_ms(&self, id: EnvelopeId) -> i64 {
        let verdict = self.record.node(id).and_then(|node| node.verdict);
        let effective = || self.state.outcome(id).map(|item| item.effective_ms);
        verdict
            .map(|verdict| verdict.at_ms)
            .or_else(effective)
            .unwrap_or(i64::MIN)
    }

    fn news(&self, kind: Kind, cause: [u8; 16], item: &TimelineItem) -> News {
        News {
            kind,
            cause,
            at_ms: self.at_ms(item.id),
            record: Some(self.record.id()),
            envelope: Some(item.id),
        }
    }
}

fn member_of(node: &Node) -> Option<MemberId> {
    node.certificate.as_ref()?.facts().member
}

/// News about an envelope of the person that does not count (yet).
pub(in crate::replica) fn not_accepted(
    status: crate::wire::verdict::Status,
    (record, envelope): (RecordId, EnvelopeId),
    at_ms: i64,
) -> News {
    let kind = match status {
        crate::wire::verdict::Status::Held(_) => Kind::Held,
        _ => Kind::NotCounted,
    };
    News {
        kind,
        cause: envelope.0,
        at_ms,
        record: Some(record),
        envelope: Some(envelope),
    }
}

impl Reader {
    /// Returns the news after a number that waits to be shown, oldest first, at most 200. For due
    /// deadlines, ask [`Reader::due`].
    pub fn notifications(
        &self,
        after_no: i64,
        rows_max: usize,
    ) -> Result<Vec<Notification>, ReplicaError> {
        let rows_max = rows_max.clamp(1, LIST_ROWS_MAX);
        Ok(notification::waiting(self.conn()?, after_no, rows_max)?)
    }
}
