//! People act: they report, edit, comment and move, allowed or not.

use onegrid_core::crdt::FieldEdit;
use onegrid_core::domain::case::{Event, Move, RecordState, Severity};
use onegrid_core::domain::content::{Content, Details, Field, FieldValue};
use onegrid_core::domain::kinds::hazard;
use onegrid_core::domain::kinds::hazard::Hazard;
use onegrid_core::domain::kinds::note::Note;
use onegrid_core::domain::kinds::request::Request;
use onegrid_core::domain::kinds::tip::Tip;
use onegrid_core::domain::kinds::visit::Visit;
use onegrid_core::domain::{Audience, Source};
use onegrid_core::fixtures::photo;
use onegrid_core::id::{EnvelopeId, Hash, RecordId};
use onegrid_core::replica::{Draft, Replica, ReplicaError};
use onegrid_core::wire::transfer::FileName;

use super::events::{AREAS, CATEGORIES, Makings, event};
use super::world::{Part, Said, World};

impl World {
    /// Lets this person make a random act.
    pub fn somebody_acts(&mut self, who: usize) -> Result<(), String> {
        match self.people[who].part {
            Part::Honest => {}
            Part::Rogue => return self.forges(who),
            Part::Hostile => return self.attacks(),
        }
        let records = self.records_of(who)?;
        let record = self.chance.pick(&records);
        match (self.chance.below(10), record) {
            (0..2, _) | (_, None) => self.reports(who),
            (2..4, Some(record)) => self.edits(who, record),
            (4, Some(record)) => self.moves(who, record, Move::Comment),
            (5, Some(record)) => self.moves(who, record, Move::DangerRemains),
            (_, Some(record)) => {
                let movement = self.likely_move(who, record)?;
                self.moves(who, record, movement)
            }
        }
    }

    /// Returns the ids of the records on a phone.
    pub fn records_of(&mut self, who: usize) -> Result<Vec<RecordId>, String> {
        let rows = self.people[who].phone.replica().rows();
        let rows = rows.map_err(|error| broken("list", &error))?;
        Ok(rows.iter().map(|row| row.id).collect())
    }

    fn reports(&mut self, who: usize) -> Result<(), String> {
        let words = self.new_words();
        let details = Details {
            title: Some(words.clone()),
            category: self.chance.pick(&CATEGORIES).map(str::to_owned),
            ..Details::default()
        };
        let restricted = self.chance.one_in(8);
        let note = self.visits && restricted && self.chance.one_in(3);
        let linked = if note {
            self.records_of(who)?
        } else {
            Vec::new()
        };
        let linked = self.chance.pick(&linked);
        let content = self.content(details, restricted, note);
        let team = self.town.places.unit("wulin-aunties");
        let area = self.chance.pick(&AREAS[..5]).expect("there are areas");
        let draft = Draft {
            content,
            home: self.town.places.path(area),
            audience: if restricted {
                Audience::Restricted
            } else {
                Audience::Staff
            },
            team: (!restricted && self.chance.one_in(3)).then_some(team),
            source: Source::Member,
            named: Vec::new(),
            linked,
            attachments: Vec::new(),
        };
        let phone = &mut self.people[who].phone;
        let now_ms = phone.clock_ms(&self.town);
        match phone.replica().report(&draft, now_ms) {
            Ok(record) => {
                let loaded = phone.replica().load(record);
                let loaded = loaded.map_err(|error| broken("report", &error))?;
                let id = loaded.and_then(|loaded| loaded.nodes().first().map(|node| node.id));
                let id = id.ok_or("a report that was saved is not there")?;
                self.said(who, record, id, words, "report");
                Ok(())
            }
            Err(error) => self.turned_down(who, "report", &error),
        }
    }

    /// The content of a report: a private note, another restricted record, or any kind.
    fn content(&mut self, details: Details, restricted: bool, note: bool) -> Content {
        match self.chance.below(8) {
            _ if note => Content::from(Note { details }),
            _ if restricted => Content::from(Tip {
                details,
                offence: None,
            }),
            1 | 2 if self.visits => Content::from(Visit {
                details,
                template: Some("care_visit".parse().expect("a name")),
                template_version: Some(1),
                companions: self.chance.one_in(4).then(|| "王五".to_owned()),
                ..Visit::default()
            }),
            0 => Content::from(Request {
                details,
                ..Request::default()
            }),
            _ => Content::from(Hazard {
                details,
                severity: Some(Severity::General),
            }),
        }
    }

    fn edits(&mut self, who: usize, record: RecordId) -> Result<(), String> {
        let words = self.new_words();
        let mut edits = vec![match self.chance.below(4) {
            0 => FieldEdit::text(Field::Title, words.clone()),
            1 => FieldEdit::text(Field::Address, words.clone()),
            2 => FieldEdit::text(Field::Answer("q1".to_owned()), words.clone()),
            _ => FieldEdit::text(Field::Description, words.clone()),
        }];
        if self.chance.one_in(3) {
            let severity = i64::try_from(self.chance.below(4)).expect("small") + 1;
            edits.push(FieldEdit::set(
                Field::Own(&hazard::SEVERITY),
                FieldValue::Number(severity),
            ));
        }
        let phone = &mut self.people[who].phone;
        let now_ms = phone.clock_ms(&self.town);
        match phone.replica().edit(record, &edits, now_ms) {
            Ok(id) => {
                self.said(who, record, id, words, "edit");
                Ok(())
            }
            Err(error) => self.turned_down(who, "edit", &error),
        }
    }

    /// Returns a move that often has a chance in the stage that this phone knows.
    fn likely_move(&mut self, who: usize, record: RecordId) -> Result<Move, String> {
        let any = self.chance.pick(Move::ALL).expect("there are moves");
        let loaded = self.people[who].phone.replica().load(record);
        let loaded = loaded.map_err(|error| broken("load", &error))?;
        let state = loaded.as_ref().and_then(|loaded| loaded.state());
        // A record with steps has no other moves.
        let has_steps = state.is_some_and(|state| state.steps().is_some());
        if self.visits && has_steps && !self.chance.one_in(5) {
            return Ok(Move::Step);
        }
        let stage = state.map(RecordState::stage);
        let Some(stage) = stage.filter(|_| !self.chance.one_in(5)) else {
            return Ok(any);
        };
        let possible: Vec<Move> = Move::ALL
            .iter()
            .copied()
            .filter(|movement| {
                let next = onegrid_core::domain::case::table::next(stage, *movement);
                next != onegrid_core::domain::case::table::Next::No
            })
            .collect();
        Ok(self.chance.pick(&possible).unwrap_or(any))
    }

    fn moves(&mut self, who: usize, record: RecordId, movement: Move) -> Result<(), String> {
        let words = self.new_words();
        let records = self.records_of(who)?;
        let other = self.chance.pick(&records).unwrap_or(record);
        let phone = &mut self.people[who].phone;
        let now_ms = phone.clock_ms(&self.town);
        let loaded = phone.replica().load(record);
        let loaded = loaded.map_err(|error| broken("load", &error))?;
        let Some(state) = loaded.as_ref().and_then(|loaded| loaded.state()) else {
            return Ok(());
        };
        let makings = Makings {
            places: &self.town.places,
            state,
            other,
            now_ms,
            words: &words,
        };
        let mut event = event(movement, &makings, &mut self.chance);
        let photos = stage_photos(phone.replica(), &mut event, now_ms);
        let photos = photos.map_err(|error| broken("add", &error))?;
        let said = if movement == Move::Seen {
            String::new()
        } else {
            words
        };
        match phone.replica().act(record, &event, None, now_ms) {
            Ok(id) => {
                self.said(who, record, id, said, movement.name());
                for (id, bytes) in photos {
                    self.describes_photo(who, FileName { record, id }, bytes);
                }
                Ok(())
            }
            Err(error) => self.turned_down(who, movement.name(), &error),
        }
    }

    /// Notes that a phone said that an envelope is saved.
    pub fn said(
        &mut self,
        who: usize,
        record: RecordId,
        id: EnvelopeId,
        words: String,
        what: &str,
    ) {
        let name = self.people[who].phone.name.clone();
        self.note(&format!("{name} {what} {} {id} {words}", short(&record)));
        self.written_in.insert(record);
        self.people[who].said.push(Said {
            record,
            id,
            words,
            answered: false,
        });
    }

    /// Accepts a refusal, but not an error of the store.
    fn turned_down(&mut self, who: usize, what: &str, error: &ReplicaError) -> Result<(), String> {
        let name = self.people[who].phone.name.clone();
        match error {
            ReplicaError::NotAllowed(code) | ReplicaError::BadContent(code) => {
                self.note(&format!("{name} {what}: {code}"));
                Ok(())
            }
            // An event of a newer app freezes the moves of its record.
            ReplicaError::NeedsNewerApp => {
                self.note(&format!("{name} {what}: {}", error.code()));
                Ok(())
            }
            _ => Err(broken(what, error)),
        }
    }
}

/// Adds photos to the phone in the place of the ids that were drawn; returns them.
fn stage_photos(
    replica: &mut Replica,
    event: &mut Event,
    now_ms: i64,
) -> Result<Vec<(Hash, Vec<u8>)>, ReplicaError> {
    let ids: Vec<&mut Hash> = match event {
        Event::HandledOnSpot(photos) => photos.before.iter_mut().chain(&mut photos.after).collect(),
        Event::Accept(step) | Event::Arrive(step) | Event::Resolve(step) => {
            step.attachments.iter_mut().collect()
        }
        _ => Vec::new(),
    };
    let mut photos = Vec::new();
    for id in ids {
        let bytes = photo(64, id.0[0]);
        *id = replica.add_attachment(&bytes, now_ms)?.id;
        photos.push((*id, bytes));
    }
    Ok(photos)
}

/// Returns the first characters of a record's id: enough for a trace.
#[must_use]
pub fn short(record: &RecordId) -> String {
    record.to_string().chars().take(8).collect()
}

/// Returns the sentence for a replica that fails although it may not.
#[must_use]
pub fn broken(what: &str, error: &ReplicaError) -> String {
    format!("{what} failed: {} ({error:?})", error.code())
}
