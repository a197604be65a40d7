//! Records that grow beyond the limits of a pack, a page or a document (finding A2): heavy edits up to the budget of a
//! record and over it, many operations, reports that name crowds.

use std::sync::LazyLock;

use onegrid_core::crdt::{ActorId, FieldEdit, build_genesis};
use onegrid_core::domain::content::{Content, Details, Field};
use onegrid_core::domain::kinds::hazard::{self, Hazard};
use onegrid_core::domain::{Audience, Source};
use onegrid_core::id::{Hash, MemberId};
use onegrid_core::limits::NAMED_MAX;
use onegrid_core::wire::body::Genesis;
use onegrid_core::wire::envelope::Envelope;

use super::super::events::AREAS;
use super::super::world::World;
use super::lines::report_alone;
use super::sealing::{change, signed_genesis};

/// Answers of one heavy edit, and characters of each. An edit has about 240 kB.
const HEAVY_ANSWERS: usize = 20;
const HEAVY_CHARS: usize = 4_000;
/// Heavy edits that go over the budget of a record and over its limit of stored bytes.
const OVER_THE_BUDGET: usize = 14;
/// Characters of an edit with many operations.
const OPERATIONS: usize = 3_000;

/// Words that hardly compress.
static HEAVY: LazyLock<Vec<FieldEdit>> = LazyLock::new(|| {
    let mut state = 1_u32;
    let mut letter = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        char::from_u32(0x4e00 + (state >> 8) % 20_000).expect("a letter")
    };
    (0..HEAVY_ANSWERS)
        .map(|answer| {
            let words: String = (0..HEAVY_CHARS).map(|_| letter()).collect();
            FieldEdit::text(Field::Answer(format!("q{answer}")), words)
        })
        .collect()
});

impl World {
    /// Writes heavy edits on one record. Once in a run, it goes over the budget.
    pub(super) fn writes_heavily(&mut self, who: usize) -> Result<(), String> {
        let Some(target) = self.target(who)? else {
            return Ok(());
        };
        let Some(report) = report_alone(&target) else {
            return Ok(());
        };
        let count = if !self.hostility.filled && self.chance.one_in(6) {
            self.hostility.filled = true;
            OVER_THE_BUDGET
        } else {
            1
        };
        let mut bodies = Vec::new();
        for _ in 0..count {
            let mut edits = HEAVY.clone();
            edits.truncate(if count == 1 { 3 } else { HEAVY_ANSWERS });
            let actor = target.fresh_actor(&mut self.chance);
            if let Ok(raw) = report.edit(actor, &edits) {
                bodies.push(change(raw, self.chance.bytes()));
            }
        }
        let line = self.in_a_line(&target, bodies)?;
        self.hostility.heavy_on.insert(target.record.id());
        self.hands_over(who, &line, &format!("{} heavy edits", line.len()))
    }

    /// Writes an edit with thousands of operations.
    pub(super) fn writes_many_operations(&mut self, who: usize) -> Result<(), String> {
        let Some(target) = self.target(who)? else {
            return Ok(());
        };
        let Some(report) = report_alone(&target) else {
            return Ok(());
        };
        let words = "气".repeat(OPERATIONS);
        let actor = target.fresh_actor(&mut self.chance);
        let edit = FieldEdit::text(Field::Description, words);
        let Ok(raw) = report.edit(actor, &[edit]) else {
            return Ok(());
        };
        let body = change(raw, self.chance.bytes());
        let envelope = self.sealed(&target, &body)?;
        self.hands_over(who, &[envelope], "an edit of many operations")
    }

    /// Reports something and names a crowd as its readers.
    pub(super) fn names_a_crowd(&mut self, who: usize) -> Result<(), String> {
        let count = NAMED_MAX + 1 + self.chance.below(300);
        let named = (0..count).map(|_| MemberId(Hash(self.chance.bytes()).first16()));
        let named: Vec<MemberId> = named.collect();
        let area = self.chance.pick(&AREAS[..5]).expect("there are areas");
        let home = self.town.places.path(area);
        let words = self.new_words();
        let phone = &mut self.people[who].phone;
        let actor = ActorId::new(&phone.device(), self.chance.bytes());
        let content = Content::from(Hazard {
            details: Details {
                title: Some(words),
                ..Details::default()
            },
            severity: None,
        });
        let content = build_genesis(&content, actor).map_err(|error| error.code().to_owned())?;
        let genesis = Genesis {
            nonce: self.chance.bytes(),
            kind: hazard::KIND,
            home,
            audience: Audience::Restricted,
            team: None,
            source: Source::Member,
            named,
            linked: None,
            content,
        };
        let clock_ms = phone.clock_ms(&self.town);
        let raw = signed_genesis(phone, &genesis, clock_ms, self.town.keys().authority())?;
        let certificate = phone.replica().certificate().cloned();
        let certificate = certificate.ok_or("the attacker is not enrolled")?;
        if let Ok(envelope) = Envelope::parse(raw.clone()) {
            self.written_in.insert(envelope.record());
        }
        let bundle = onegrid_core::wire::message::Bundle {
            certificates: vec![certificate.raw().clone()],
            envelopes: vec![raw],
        };
        self.reaches_server(bundle, &format!("a report that names {count}"))
    }
}
