//! The histories of `tests/data/bench` as signed envelopes: Genesis, changes and events.
//!
//! The people of the histories act at random, which real roles would not allow. So `g…` are district leads,
//! `u…` are handlers of their unit, and `v…` are volunteers. A district lead makes each move that its
//! person may not make. The histories already hold the moves that rules would make, so a server that
//! imports them runs without rules.

mod history;
mod writer;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use onegrid_core::crdt::{FieldEdit, build_genesis};
use onegrid_core::domain::case::payload::{
    Bare, Comment, Dispatch, FollowUp, Step, Triage, Verify,
};
use onegrid_core::domain::case::{Deadlines, Event, Part, Party, Severity};
use onegrid_core::domain::content::{Field, FieldValue};
use onegrid_core::domain::kinds::hazard;
use onegrid_core::domain::may::{Action, Actor, may};
use onegrid_core::domain::{AreaPath, Audience, Grant, Role, Scope, Source, Text};
use onegrid_core::id::{AreaId, EnvelopeId, Hash, RecordId, UnitId};
use onegrid_core::record::{Admission, Record};
use onegrid_core::trust::certificate::Certificate;
use onegrid_core::trust::sign::{Authority, SecretKey};
use onegrid_core::wire::body::{Body, Genesis};
use onegrid_core::wire::envelope::VerifiedEnvelope;
use onegrid_core::wire::message::Bundle;

use writer::Writer;

pub use history::{Entry, History, YARDSTICK_BYTES, read};

/// The people of the histories, with a device each.
pub struct Cast {
    issuer: SecretKey,
    authority: Authority,
    district: AreaPath,
    writers: HashMap<String, Writer>,
}

/// One case as its people wrote it.
pub struct Written {
    /// The id of the record.
    pub record: RecordId,
    /// Envelopes, parents before children.
    pub envelopes: Vec<VerifiedEnvelope>,
}

impl Cast {
    /// Makes people with certificates that this key issues.
    #[must_use]
    pub fn new(issuer: &SecretKey, authority: Authority) -> Self {
        let district = AreaPath::new(&[area("330105000000")]).expect("one level is a path");
        Self {
            issuer: issuer.clone(),
            authority,
            district,
            writers: HashMap::new(),
        }
    }

    /// Returns the certificates of everybody who has written so far.
    pub fn certificates(&self) -> impl Iterator<Item = &Arc<Certificate>> {
        self.writers.values().map(|writer| &writer.certificate)
    }

    /// Writes one history. `salt` tells copies of the same history apart.
    pub fn write(&mut self, history: &History, salt: u64) -> Written {
        let first = &history.events[0];
        let reporter = first.by.clone();
        self.enrol(&reporter);
        let genesis = self.genesis(history, &reporter, first.at, salt);
        let mut record = Record::new(genesis.envelope().record());
        let mut written = vec![genesis.clone()];
        if history.events.len() == 1 {
            // The server judges a report without later entries when it imports it.
            return Written {
                record: record.id(),
                envelopes: written,
            };
        }
        assert_eq!(record.admit(&[genesis])[0].outcome, Admission::Valid);
        let mut assignment = None;
        for step in &history.events[1..] {
            for (who, doing) in self.doings(history, step, &record, assignment) {
                let envelope = self.seal(&who, &record, step.at, &doing);
                if matches!(doing, Doing::Event(Event::Dispatch(_))) {
                    assignment = Some(envelope.envelope().id());
                }
                let judged = record.admit(std::slice::from_ref(&envelope));
                assert_eq!(judged[0].outcome, Admission::Valid, "{who} {step:?}");
                written.push(envelope);
            }
        }
        Written {
            record: record.id(),
            envelopes: written,
        }
    }

    /// Lets a district lead answer a question and comment on each of the first `count` cases; returns only
    /// the new envelopes.
    pub fn continue_some(&mut self, cases: &[Written], count: usize) -> Vec<Written> {
        let lead = "g-lead";
        self.enrol(lead);
        let mut news = Vec::with_capacity(count);
        for (n, case) in cases.iter().take(count).enumerate() {
            let mut record = Record::new(case.record);
            record.admit(&case.envelopes);
            let at = case
                .envelopes
                .last()
                .map_or(0, |last| last.envelope().header().clock_ms)
                + 1;
            let answer = format!("第{n}处：已贴整改通知，三日后回看。");
            let edit = FieldEdit::set(Field::Answer("revisit".into()), FieldValue::Text(answer));
            let edited = self.seal(lead, &record, at, &Doing::Edit(edit));
            record.admit(std::slice::from_ref(&edited));
            let word = Event::Comment(Comment {
                text: Text::new(format!("与消防一起复核第{n}处，要求限期整改")).ok(),
                attachments: Vec::new(),
                mentions: Vec::new(),
            });
            let said = self.seal(lead, &record, at + 1, &Doing::Event(word));
            news.push(Written {
                record: case.record,
                envelopes: vec![edited, said],
            });
        }
        news
    }

    fn genesis(&self, history: &History, who: &str, at: i64, salt: u64) -> VerifiedEnvelope {
        let writer = &self.writers[who];
        let content = build_genesis(&history.content(), writer.actor);
        let content = content.expect("the histories are in bounds");
        let body = Body::Genesis(Genesis {
            nonce: Hash::of(&[
                history.title.as_bytes(),
                &at.to_be_bytes(),
                &salt.to_be_bytes(),
            ])
            .first16(),
            kind: hazard::KIND,
            home: history.home(),
            audience: Audience::Staff,
            team: None,
            source: Source::Member,
            named: Vec::new(),
            linked: None,
            content,
        });
        writer.seal(None, &[], at, &body, &self.authority)
    }

    /// Returns the moves of one entry of a history, each with its author.
    fn doings(
        &mut self,
        history: &History,
        step: &Entry,
        record: &Record,
        assignment: Option<EnvelopeId>,
    ) -> Vec<(String, Doing)> {
        let mut doings = Vec::with_capacity(2);
        let mut note = Text::new(step.note.clone()).ok();
        if let Some(severity) = step.severity {
            let value = FieldValue::Number(i64::from(severity));
            let edit = FieldEdit::set(Field::Own(&hazard::SEVERITY), value);
            let document = record.document().expect("the Genesis counts");
            let same = document.field(&Field::Own(&hazard::SEVERITY))
                == Some(FieldValue::Number(severity.into()));
            if !same {
                doings.push(Doing::Edit(edit));
                // The note of an edit becomes a comment beside the edit.
            }
        }
        let talk = |text: Option<Text>, photo: Option<&String>| {
            Event::Comment(Comment {
                text,
                attachments: photo
                    .map(|hash| hash.parse().expect("a SHA-256"))
                    .into_iter()
                    .collect(),
                mentions: Vec::new(),
            })
        };
        let work = |note: Option<Text>| Step {
            assignment: assignment.expect("a dispatch comes first"),
            attachments: Vec::new(),
            note,
        };
        let event = match step.kind.as_str() {
            "edit" => note.take().map(|note| talk(Some(note), None)),
            "comment" | "photo" => Some(talk(note, step.photo.as_ref())),
            "triage" => Some(Event::Triage(Triage {
                category: history.category.parse().expect("a category"),
                severity: Severity::from_code(history.severity).expect("1 to 4"),
                grid: None,
                rule: None,
                note,
            })),
            "dispatch" => Some(Event::Dispatch(Dispatch {
                to: Party::Unit(unit(step.unit.as_deref().expect("dispatched to a unit"))),
                part: Part::Lead,
                deadlines: Deadlines::default(),
                rule: None,
                note,
            })),
            "accept" => Some(Event::Accept(work(note))),
            "on_site" => Some(Event::Arrive(work(note))),
            "resolve" => Some(Event::Resolve(work(note))),
            "verify" => Some(Event::Verify(Verify {
                pass: true,
                attachments: Vec::new(),
                note,
            })),
            "close" => Some(Event::Close(Bare { note })),
            "follow_up" => Some(Event::FollowUp(FollowUp {
                satisfied: Some(true),
                note,
            })),
            other => unreachable!("an entry of kind {other}"),
        };
        doings.extend(event.map(Doing::Event));
        doings
            .into_iter()
            .map(|doing| (self.who_may(&step.by, record, &doing), doing))
            .collect()
    }

    /// Returns the person of the history, or a district lead if that person may not make the move.
    fn who_may(&mut self, name: &str, record: &Record, doing: &Doing) -> String {
        let lead = "g-lead";
        self.enrol(lead);
        if name == "server" {
            return lead.to_owned();
        }
        self.enrol(name);
        let facts = self.writers[name].certificate.facts();
        let units: Vec<UnitId> = facts
            .grants
            .iter()
            .filter_map(|grant| grant.scope.unit())
            .collect();
        let actor = Actor {
            member: facts.member,
            grant: &facts.grants[0],
            units: &units,
        };
        let state = record.state().expect("the Genesis counts");
        let action = match doing {
            Doing::Edit(_) => Action::Edit(state),
            Doing::Event(event) => Action::Do {
                state,
                event,
                on_behalf_of: None,
            },
        };
        if may(&actor, &action).is_ok() {
            name
        } else {
            lead
        }
        .to_owned()
    }

    fn seal(&self, who: &str, record: &Record, at: i64, doing: &Doing) -> VerifiedEnvelope {
        let writer = &self.writers[who];
        let body = match doing {
            Doing::Edit(edit) => writer.change(record, std::slice::from_ref(edit)),
            Doing::Event(event) => writer.event(event, at),
        };
        writer.seal(
            Some(record.id()),
            &record.heads(),
            at,
            &body,
            &self.authority,
        )
    }

    fn enrol(&mut self, name: &str) {
        if self.writers.contains_key(name) {
            return;
        }
        let (role, scope) = match name.as_bytes()[0] {
            b'g' => (Role::DistrictLead, Scope::Area(self.district)),
            b'u' => (Role::Handler, Scope::Unit(unit(name))),
            _ => (Role::Volunteer, Scope::Area(self.district)),
        };
        let writer = Writer::enrol(name, Grant { role, scope }, &self.issuer, &self.authority);
        self.writers.insert(name.to_owned(), writer);
    }
}

/// Returns cases as one upload, with the certificates of their authors.
#[must_use]
pub fn bundle_of(cases: &[Written]) -> Bundle {
    let mut bundle = Bundle::default();
    let mut named = HashSet::new();
    for envelope in cases.iter().flat_map(|case| &case.envelopes) {
        if let Some(certificate) = envelope.certificate()
            && named.insert(certificate.hash())
        {
            bundle.certificates.push(certificate.raw().clone());
        }
        bundle.envelopes.push(envelope.envelope().raw().clone());
    }
    bundle
}

enum Doing {
    Edit(FieldEdit),
    Event(Event),
}

fn area(code: &str) -> AreaId {
    AreaId::of_first_code(code)
}

/// Returns the unit that a history names.
#[must_use]
pub fn unit(name: &str) -> UnitId {
    UnitId::v8(&Hash::of(&[b"histories.unit", name.as_bytes()]))
}
