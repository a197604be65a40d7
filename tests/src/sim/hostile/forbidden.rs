//! A phone that signs forbidden work of its owner: the certificate is real, but it lacks the right.

use onegrid_core::domain::Text;
use onegrid_core::domain::case::payload as p;
use onegrid_core::domain::case::{Deadlines, Event, FOLD_VERSION, Outcome, Part, Party};
use onegrid_core::sync::port::{Handover, PeerPort};
use onegrid_core::wire::message::Bundle;

use super::super::act::broken;
use super::super::world::{self, World};
use super::sealing::{self, seal};

impl World {
    /// Lets the rogue write on a record that it can read, and pass the envelope to another phone or
    /// the server.
    pub fn forges(&mut self, _: usize) -> Result<(), String> {
        let Some(rogue) = self
            .people
            .iter()
            .position(|person| person.part == world::Part::Rogue)
        else {
            return Ok(());
        };
        let records = self.records_of(rogue)?;
        let Some(record) = self.chance.pick(&records) else {
            return Ok(());
        };
        let event = self.forbidden();
        let salt = self.chance.bytes();
        let phone = &mut self.people[rogue].phone;
        let clock_ms = phone.clock_ms(&self.town);
        let loaded = phone.replica().load(record);
        let loaded = loaded.map_err(|error| broken("load", &error))?;
        let Some(loaded) = loaded.filter(|loaded| !loaded.heads().is_empty()) else {
            return Ok(());
        };
        let body = sealing::event(event.encode(), FOLD_VERSION, salt);
        let (id, bundle) = seal(
            phone,
            (&loaded, clock_ms),
            &body,
            self.town.keys().authority(),
        )?;
        self.forged.insert(id);
        self.forged_on.insert(record);
        self.hand_over(rogue, bundle, &format!("{id} {event:?}"))
    }

    fn hand_over(&mut self, rogue: usize, bundle: Bundle, what: &str) -> Result<(), String> {
        let other = self.chance.below(self.people.len());
        let now_ms = self.town.now_ms;
        if other == rogue {
            return self.reaches_server(bundle, what);
        }
        let certificate = self.people[rogue].phone.replica().certificate().cloned();
        let certificate = certificate.ok_or("the rogue is not enrolled")?;
        let given = Handover {
            bundle,
            ..Handover::default()
        };
        let replica = self.people[other].phone.replica();
        let applied = replica.apply_peer(&given, &certificate, now_ms);
        let line = format!(
            "forged to {}: {what}: {applied:?}",
            self.people[other].phone.name
        );
        self.note(&line);
        self.nothing_forged_counts(other)
    }

    /// Returns an event that a supervisor may make in no state.
    fn forbidden(&mut self) -> Event {
        let words = Text::new(self.new_words()).unwrap();
        match self.chance.below(5) {
            0 => Event::Dispatch(p::Dispatch {
                to: Party::Unit(self.town.places.unit("urban-management")),
                part: Part::Lead,
                deadlines: Deadlines::default(),
                rule: None,
                note: Some(words),
            }),
            1 => Event::Close(p::Bare { note: Some(words) }),
            2 => Event::Dismiss(p::Reasoned { reason: words }),
            3 => Event::Verify(p::Verify {
                pass: true,
                attachments: Vec::new(),
                note: Some(words),
            }),
            _ => Event::HandToPolice(p::HandToPolice {
                to: None,
                reason: words,
            }),
        }
    }

    /// Checks invariant 5 on a phone: a forged envelope moves nothing, however it came in.
    pub fn nothing_forged_counts(&mut self, who: usize) -> Result<(), String> {
        if self.forged.is_empty() {
            return Ok(());
        }
        for record in self.forged_on.clone() {
            let phone = &mut self.people[who].phone;
            let loaded = phone.replica().load(record);
            let loaded = loaded.map_err(|error| broken("load", &error))?;
            let Some(loaded) = loaded else { continue };
            for node in loaded
                .nodes()
                .iter()
                .filter(|n| self.forged.contains(&n.id))
            {
                let outcome = loaded.state().and_then(|state| state.outcome(node.id));
                let moves = outcome.is_some_and(|item| {
                    matches!(item.outcome, Outcome::Effective | Outcome::Superseded)
                });
                if node.counts() || moves {
                    let name = &self.people[who].phone.name;
                    return Err(format!("{name} counts the forged {}", node.id));
                }
            }
        }
        Ok(())
    }
}
