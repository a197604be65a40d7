//! Envelopes of an app that does not exist yet (finding A6): events, kinds, bodies, formats and suites that this
//! version does not know. They wait for a newer server, and all other work goes on.

use onegrid_core::crdt::{ActorId, build_genesis};
use onegrid_core::domain::case::FOLD_VERSION;
use onegrid_core::domain::kinds::hazard::Hazard;
use onegrid_core::domain::{Audience, RecordKind, Source};
use onegrid_core::trust::sign::Purpose;
use onegrid_core::wire::body::{Body, Genesis};
use onegrid_core::wire::envelope::RawEnvelope;
use onegrid_core::wire::message::Bundle;

use super::super::events::AREAS;
use super::super::world::World;
use super::sealing::{self, Ground, signed_genesis};

/// The code of an event, the kind of a body and the kind of a record that no app knows.
const EVENT: u16 = 60_000;
const BODY: u8 = 9;
const RECORD: RecordKind = RecordKind::of_code(200);

impl World {
    /// Writes something of a newer app.
    pub(super) fn writes_as_a_newer_app(&mut self, who: usize) -> Result<(), String> {
        match self.chance.below(4) {
            0 => self.reports_a_newer_kind(who),
            1 => self.writes_a_newer_format(who),
            _ => self.writes_a_newer_event(who),
        }
    }

    fn writes_a_newer_event(&mut self, who: usize) -> Result<(), String> {
        let Some(target) = self.target(who)? else {
            return Ok(());
        };
        let salt = self.chance.bytes();
        let body = match self.chance.below(3) {
            0 => Body::Unknown(BODY, vec![0x81, 0x01]),
            1 => sealing::event((EVENT, vec![0x80]), FOLD_VERSION + 1, salt),
            _ => sealing::event((EVENT, vec![0x80]), FOLD_VERSION, salt),
        };
        let tip = self.hostility.tips.get(&target.record.id()).copied();
        let certificate = self.people[who].phone.replica().certificate();
        let grants = certificate.map_or(1, |own| own.facts().grants.len());
        let ground = Ground {
            grant: u8::try_from(self.chance.below(grants)).unwrap_or(0),
            ..target.ground(tip)
        };
        let envelope = self.sealed_on(&target, &ground, &body)?;
        self.is_forged(&envelope);
        let what = format!("{} an event of a newer app", envelope.id());
        self.hands_over(who, &[envelope], &what)
    }

    fn reports_a_newer_kind(&mut self, who: usize) -> Result<(), String> {
        let area = self.chance.pick(&AREAS[..5]).expect("there are areas");
        let home = self.town.places.path(area);
        let phone = &mut self.people[who].phone;
        let actor = ActorId::new(&phone.device(), self.chance.bytes());
        let content = build_genesis(&Hazard::default().into(), actor);
        let genesis = Genesis {
            nonce: self.chance.bytes(),
            kind: RECORD,
            home,
            audience: Audience::Staff,
            team: None,
            source: Source::Member,
            named: Vec::new(),
            linked: None,
            content: content.map_err(|error| error.code().to_owned())?,
        };
        let clock_ms = phone.clock_ms(&self.town);
        let raw = signed_genesis(phone, &genesis, clock_ms, self.town.keys().authority())?;
        self.brings_raw(who, raw, "a report of a newer kind")
    }

    /// Sends a header of an unknown version, with more fields and other ones.
    fn writes_a_newer_format(&mut self, who: usize) -> Result<(), String> {
        let mut header = Vec::new();
        let mut encoder = minicbor::Encoder::new(&mut header);
        encoder.array(12).unwrap().u8(9).unwrap().u8(1).unwrap();
        for field in 0..9 {
            encoder.u16(field).unwrap();
        }
        encoder.str(&self.new_words()).unwrap();
        let authority = *self.town.keys().authority();
        let key = self.people[who].phone.key();
        let mut raw = RawEnvelope {
            header,
            body: vec![0x01],
            signature: [0; 64],
        };
        let hash = raw.hash();
        raw.signature = key.sign(Purpose::Envelope, &authority, &[hash.as_bytes()]);
        self.brings_raw(who, raw, "an envelope of a newer format")
    }

    fn brings_raw(&mut self, who: usize, raw: RawEnvelope, what: &str) -> Result<(), String> {
        let certificate = self.people[who].phone.replica().certificate().cloned();
        let certificate = certificate.ok_or("the attacker is not enrolled")?;
        let bundle = Bundle {
            certificates: vec![certificate.raw().clone()],
            envelopes: vec![raw],
        };
        self.reaches_server(bundle, what)
    }
}
