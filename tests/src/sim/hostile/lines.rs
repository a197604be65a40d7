//! Floods of small envelopes: long lines of looks, comments that deny what their author saw, fresh epochs against the
//! quotas of an author (finding A3), junk answers that push others out (finding A8).

use onegrid_core::crdt::{Document, FieldEdit};
use onegrid_core::domain::Text;
use onegrid_core::domain::case::payload as p;
use onegrid_core::domain::case::{Event, FOLD_VERSION};
use onegrid_core::domain::content::Field;
use onegrid_core::wire::body::Body;
use onegrid_core::wire::envelope::Envelope;

use super::super::world::World;
use super::Target;
use super::sealing::{self, Ground, change};

/// Junk answers of one change.
const JUNK_MAX: usize = 40;
/// Epochs of a flood that goes over the limit of one author.
const EPOCHS_OVER: usize = onegrid_core::limits::EPOCHS_PER_AUTHOR_MAX + 6;

impl World {
    /// Writes a long line of looks.
    pub(super) fn looks_again_and_again(&mut self, who: usize) -> Result<(), String> {
        let Some(target) = self.target(who)? else {
            return Ok(());
        };
        let looks = (0..self.length_of_flood())
            .map(|_| {
                let look = Event::Seen(p::Seen {}).encode();
                sealing::event(look, FOLD_VERSION, self.chance.bytes())
            })
            .collect();
        let line = self.in_a_line(&target, looks)?;
        self.hands_over(who, &line, &format!("{} looks", line.len()))
    }

    /// Writes comments that all deny what their author saw before.
    pub(super) fn denies_what_it_saw(&mut self, who: usize) -> Result<(), String> {
        let Some(target) = self.target(who)? else {
            return Ok(());
        };
        let Some(genesis) = target.record.nodes().first().map(|node| node.id) else {
            return Ok(());
        };
        let ground = Ground {
            parents: vec![genesis],
            ..target.ground(None)
        };
        let mut fan = Vec::new();
        for _ in 0..self.length_of_flood() {
            let words = Text::new(self.new_words()).unwrap();
            let comment = Event::Comment(p::Comment {
                text: Some(words),
                attachments: Vec::new(),
                mentions: Vec::new(),
            });
            let body = sealing::event(comment.encode(), FOLD_VERSION, self.chance.bytes());
            fan.push(self.sealed_on(&target, &ground, &body)?);
        }
        self.hands_over(who, &fan, &format!("{} comments on the report", fan.len()))
    }

    /// Writes changes that each claim to be the first of a new installation.
    pub(super) fn begins_anew_again_and_again(&mut self, who: usize) -> Result<(), String> {
        let Some(target) = self.target(who)? else {
            return Ok(());
        };
        let Some(report) = report_alone(&target) else {
            return Ok(());
        };
        let count = match self.chance.below(12) {
            0 => EPOCHS_OVER,
            _ => 2 + self.chance.below(10),
        };
        let mut bodies = Vec::new();
        for n in 0..count {
            let words = self.new_words();
            let edit = FieldEdit::text(Field::Answer(format!("epoch{n}")), words);
            let actor = target.fresh_actor(&mut self.chance);
            if let Ok(raw) = report.edit(actor, &[edit]) {
                bodies.push(change(raw, self.chance.bytes()));
            }
        }
        let line = self.in_a_line(&target, bodies)?;
        self.hands_over(who, &line, &format!("{} epochs", line.len()))
    }

    /// Writes answers to questions that no form asks.
    pub(super) fn answers_junk(&mut self, who: usize) -> Result<(), String> {
        let Some(target) = self.target(who)? else {
            return Ok(());
        };
        let count = 1 + self.chance.below(JUNK_MAX);
        let edits: Vec<FieldEdit> = (0..count)
            .map(|_| {
                let key: [u8; 4] = self.chance.bytes();
                let key = format!("0-{:08x}", u32::from_le_bytes(key));
                FieldEdit::text(Field::Answer(key), self.new_words())
            })
            .collect();
        let actor = target.fresh_actor(&mut self.chance);
        let document = target.record.document();
        let raw = document.and_then(|document| document.edit(actor, &edits).ok());
        let Some(raw) = raw else { return Ok(()) };
        let body = change(raw, self.chance.bytes());
        let envelope = self.sealed(&target, &body)?;
        self.hands_over(who, &[envelope], &format!("{count} junk answers"))
    }

    /// Signs bodies as a line: each has seen the one before.
    pub(super) fn in_a_line(
        &mut self,
        target: &Target,
        bodies: Vec<Body>,
    ) -> Result<Vec<Envelope>, String> {
        let mut line: Vec<Envelope> = Vec::with_capacity(bodies.len());
        for body in bodies {
            let envelope = match line.last() {
                None => self.sealed(target, &body)?,
                Some(last) => {
                    let ground = Ground {
                        parents: vec![last.id()],
                        ..target.ground(None)
                    };
                    self.sealed_on(target, &ground, &body)?
                }
            };
            line.push(envelope);
        }
        Ok(line)
    }

    fn length_of_flood(&mut self) -> usize {
        match self.chance.below(12) {
            0 => 120,
            _ => 3 + self.chance.below(20),
        }
    }
}

/// Returns the content as the report alone made it.
pub(super) fn report_alone(target: &Target) -> Option<Document> {
    let genesis = target.record.nodes().first()?.change()?.info.as_ref()?;
    target.record.document()?.at(&[genesis.hash])
}
