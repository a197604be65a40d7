//! Moves that do not count, to see which names they carry about (findings A12, A13): a reporter moves its own case, and
//! a member draws itself into cases that are not its own.

use onegrid_core::domain::case::payload as p;
use onegrid_core::domain::case::{Deadlines, Event, FOLD_VERSION, Part, Party};
use onegrid_core::domain::content::{Content, Details};
use onegrid_core::domain::kinds::{hazard::Hazard, tip::Tip};
use onegrid_core::domain::{Audience, Source, Text};
use onegrid_core::id::EnvelopeId;
use onegrid_core::replica::Draft;

use super::super::events::AREAS;
use super::super::world::World;
use super::{Target, sealing};

impl World {
    /// Reports a case that the rules dispatch at once, then moves it without any right.
    pub(super) fn moves_its_own_report(&mut self, who: usize) -> Result<(), String> {
        let own: Vec<_> = self.hostility.reports.iter().copied().collect();
        let Some(record) = self.chance.pick(&own).filter(|_| !self.chance.one_in(3)) else {
            return self.reports_for_others(who);
        };
        let Some(target) = self.target_in(who, record)? else {
            return Ok(());
        };
        self.makes_a_void_move(&target)
    }

    /// Draws itself, or a unit, into a case of another person.
    pub(super) fn draws_itself_in(&mut self, who: usize) -> Result<(), String> {
        match self.target(who)? {
            Some(target) => self.makes_a_void_move(&target),
            None => Ok(()),
        }
    }

    fn reports_for_others(&mut self, who: usize) -> Result<(), String> {
        let restricted = self.chance.one_in(4);
        let details = Details {
            title: Some(self.new_words()),
            category: Some("gas".to_owned()),
            ..Details::default()
        };
        let content = if restricted {
            Content::from(Tip {
                details,
                offence: None,
            })
        } else {
            Content::from(Hazard {
                details,
                severity: None,
            })
        };
        let area = self.chance.pick(&AREAS[..5]).expect("there are areas");
        let draft = Draft {
            content,
            home: self.town.places.path(area),
            audience: if restricted {
                Audience::Restricted
            } else {
                Audience::Staff
            },
            team: None,
            source: Source::Member,
            named: Vec::new(),
            linked: None,
            attachments: Vec::new(),
        };
        let phone = &mut self.people[who].phone;
        let now_ms = phone.clock_ms(&self.town);
        if let Ok(record) = phone.replica().report(&draft, now_ms) {
            self.written_in.insert(record);
            self.hostility.reports.insert(record);
            self.note(&format!("the hostile member reports {record}"));
        }
        self.syncs_with(who, &super::app::Tricks::default())
    }

    fn makes_a_void_move(&mut self, target: &Target) -> Result<(), String> {
        let assignments: Vec<EnvelopeId> = target
            .record
            .state()
            .map(|state| state.assignments().iter().map(|one| one.id).collect())
            .unwrap_or_default();
        let assignment = self.chance.pick(&assignments);
        let assignment = assignment.unwrap_or(EnvelopeId(self.chance.bytes()));
        let words = Text::new(self.new_words()).unwrap();
        let member = self.people[target.who].phone.replica().own_member();
        let unit = self.town.places.unit("gas-company");
        let to = match member {
            Some(member) if self.chance.one_in(2) => Party::Member(member),
            _ => Party::Unit(unit),
        };
        let step = p::Step {
            assignment,
            attachments: Vec::new(),
            note: None,
        };
        let event = match self.chance.below(7) {
            0 => Event::Urge(p::Bare { note: None }),
            1 => Event::Accept(step),
            2 => Event::Resolve(step),
            3 => Event::Share(p::Share {
                with: p::Partner::Party(to),
                deadlines: Deadlines::default(),
                note: None,
            }),
            4 => Event::AssignFinally(p::AssignFinally {
                to,
                deadlines: Deadlines::default(),
                reason: words,
            }),
            5 => Event::Close(p::Bare { note: Some(words) }),
            _ => Event::Dispatch(p::Dispatch {
                to,
                part: Part::Lead,
                deadlines: Deadlines::default(),
                rule: None,
                note: None,
            }),
        };
        let body = sealing::event(event.encode(), FOLD_VERSION, self.chance.bytes());
        let envelope = self.sealed(target, &body)?;
        let what = format!("{} {:?}", envelope.id(), event.movement());
        self.hands_over(target.who, &[envelope], &what)
    }
}
