//! Tip and reward (scenario 8): a second person approves, the money is paid, and no reader of the reward alone
//! learns the person who reported the tip.
#![allow(clippy::unwrap_used, reason = "a test may fail by panic")]

use onegrid_core::domain::case::Event;
use onegrid_core::domain::case::payload::KindStep;
use onegrid_core::domain::content::{Content, Details, Field, FieldValue};
use onegrid_core::domain::kinds::reward::{GRANT, Granted, PAY, Reward, SPEC, spent};
use onegrid_core::domain::kinds::{reward, tip};
use onegrid_core::domain::month::Month;
use onegrid_core::domain::steps::StepSpec;
use onegrid_core::domain::{Audience, Source, StreamId, Text};
use onegrid_core::id::{MemberId, RecordId};
use onegrid_core::replica::Draft;
use onegrid_core::sync::port::{GiveAsk, StarPort};
use onegrid_server::rules::Rules;
use onegrid_tests::town::{Extent, GRID, Met, Phone, STREET, Town, VILLAGE};

const AMOUNT_FEN: i64 = 50_000;

struct Story {
    town: Town,
    tipster: Phone,
    officer: Phone,
    head: Phone,
    lead: Phone,
    room: Phone,
    tip: RecordId,
}

#[allow(clippy::unnecessary_wraps, reason = "the payload has a note or none")]
fn words(text: &str) -> Option<Text> {
    Some(Text::new(text).unwrap())
}

fn made(step: &StepSpec) -> Event {
    Event::Step(KindStep {
        step: step.code,
        reason: None,
        attachments: Vec::new(),
        note: words("线索属实"),
    })
}

impl Story {
    /// A volunteer, offline, reports a tip to the community officer alone.
    fn told(seed: u64) -> Self {
        let mut town = Town::with(seed, Extent::TwoStreets, Rules::none());
        let mut tipster = town.enrol("tipster", "volunteer", VILLAGE, "wulin-aunties");
        let mut officer = town.enrol("officer", "community_officer", VILLAGE, "");
        let head = town.enrol("head", "station_head", VILLAGE, "");
        let lead = town.enrol("lead", "district_lead", "330105000000", "");
        let room = town.enrol("room", "dispatcher", STREET, "wulin-command-room");
        let content = Content::from(tip::Tip {
            details: Details {
                title: Some("夜里有人卸气瓶".into()),
                ..Details::default()
            },
            offence: Some("gas".into()),
        });
        let draft = Draft {
            content,
            home: town.places.path(GRID),
            audience: Audience::Restricted,
            team: None,
            source: Source::Member,
            named: vec![officer.replica().own_member().unwrap()],
            linked: None,
            attachments: Vec::new(),
        };
        let tip = tipster.replica().report(&draft, town.now_ms).unwrap();
        town.pass(3_600_000);
        tipster.sync(&mut town);
        officer.sync(&mut town);
        Self {
            town,
            tipster,
            officer,
            head,
            lead,
            room,
            tip,
        }
    }

    /// The officer proposes a reward, and names the two people who decide.
    fn proposed(&mut self) -> RecordId {
        let named = [&mut self.head, &mut self.lead].map(|phone| phone.replica().own_member());
        let draft = Draft {
            content: Content::from(Reward {
                amount_fen: Some(AMOUNT_FEN),
                ground: Some("举报属实，收缴气瓶四个".into()),
                ..Reward::default()
            }),
            home: self.town.places.path(VILLAGE),
            audience: Audience::Restricted,
            team: None,
            source: Source::Member,
            named: named.into_iter().flatten().collect(),
            linked: Some(self.tip),
            attachments: Vec::new(),
        };
        let now_ms = self.town.now_ms;
        let reward = self.officer.replica().report(&draft, now_ms).unwrap();
        self.officer.sync(&mut self.town);
        reward
    }

    fn everybody_syncs(&mut self) {
        let phones = [
            &mut self.officer,
            &mut self.head,
            &mut self.lead,
            &mut self.room,
        ];
        for phone in phones {
            phone.sync(&mut self.town);
        }
    }
}

fn stage(phone: &mut Phone, record: RecordId) -> &'static str {
    let loaded = phone.replica().load(record).unwrap().unwrap();
    loaded.state().unwrap().stage_name()
}

/// The phone has the reward and lacks the tip, and nothing that it holds or gives away names the reporter.
fn knows_no_tipster(phone: &mut Phone, (tip, reward): (RecordId, RecordId), tipster: &mut Phone) {
    let name = phone.name.clone();
    let member: MemberId = tipster.replica().own_member().unwrap();
    assert!(
        phone.replica().load(tip).unwrap().is_none(),
        "{name} has the tip"
    );
    let loaded = phone.replica().load(reward).unwrap().unwrap();
    let state = loaded.state().unwrap();
    assert_eq!(state.facts.linked, Some(tip), "the link is there");
    assert!(!state.participants.contains(&member));
    let device = tipster.device();
    let shown = format!("{:?} {:?}", loaded.nodes(), state);
    for id in [member.to_string(), device.to_string()] {
        assert!(!shown.contains(&id), "{name}: {id}");
    }
    let ids = loaded.nodes().iter().map(|node| node.id).collect();
    let ask = GiveAsk {
        envelopes: ids,
        bytes_max: 1 << 20,
        ..GiveAsk::default()
    };
    let given = phone.replica().give(&ask).unwrap();
    let streams = given
        .give_back
        .attestations
        .iter()
        .flat_map(|attestation| &attestation.envelopes)
        .flat_map(|line| line.at.iter().map(|at| at.stream));
    assert!(
        !streams
            .clone()
            .any(|stream| stream == StreamId::Member(member))
    );
    let bytes = format!("{:?}", given.bundle);
    for id in [member.as_bytes().to_vec(), device.as_bytes().to_vec()] {
        assert!(!bytes.contains(&format!("{id:?}")[1..]), "{name}");
    }
    let rows = phone.replica().rows().unwrap();
    assert!(
        rows.iter().all(|row| row.id != tip),
        "{name}: no row of the tip"
    );
}

#[test]
fn reward_is_approved_by_second_person_and_paid() {
    let mut story = Story::told(3);
    let reward = story.proposed();
    story.everybody_syncs();
    let now = story.town.now_ms;
    // The proposer approves nothing.
    let own = story
        .officer
        .replica()
        .act(reward, &made(&GRANT), None, now);
    assert!(own.is_err());
    // The head, offline, grants; the proposer meanwhile changes the amount.
    let grant = story.head.replica().act(reward, &made(&GRANT), None, now);
    let grant = grant.unwrap();
    let more = onegrid_core::crdt::FieldEdit::set(
        Field::Own(&reward::AMOUNT_FEN),
        FieldValue::Number(99 * AMOUNT_FEN),
    );
    story.officer.replica().edit(reward, &[more], now).unwrap();
    story.officer.sync(&mut story.town);
    story.town.pass(60_000);
    story.everybody_syncs();
    assert_eq!(stage(&mut story.lead, reward), "granted");
    let now = story.town.now_ms;
    story
        .lead
        .replica()
        .act(reward, &made(&PAY), None, now)
        .unwrap();
    story.everybody_syncs();
    story.everybody_syncs();
    for phone in [
        &mut story.officer,
        &mut story.head,
        &mut story.lead,
        &mut story.room,
    ] {
        assert_eq!(stage(phone, reward), "paid");
        let loaded = phone.replica().load(reward).unwrap().unwrap();
        let state = loaded.state().unwrap();
        assert_eq!(Granted::grant_of(state), Some(grant));
        let edited = loaded.document().unwrap().content(&SPEC);
        assert_eq!(edited.number(&reward::AMOUNT_FEN), Some(99 * AMOUNT_FEN));
        let in_force = loaded.content_in_force(&SPEC).unwrap();
        assert_eq!(in_force.number(&reward::AMOUNT_FEN), Some(AMOUNT_FEN));
        let seen = loaded.content_seen_by(&SPEC, grant).unwrap();
        let granted = Granted::of(state, &seen).unwrap();
        let month = Month::in_china(now);
        let sum = spent([&granted], &story.town.places.path(STREET), month);
        assert_eq!(
            (sum.count, sum.granted_fen, sum.paid_fen),
            (1, 50_000, 50_000)
        );
    }
    let volunteer = story.tipster.replica().load(reward).unwrap();
    assert!(volunteer.is_none(), "a reward is restricted");
}

/// The people who decide about the money read the reward and not the tip. They learn its reporter on no path: by
/// the feed, in a pack, in a meeting with a phone that has both, and after a restore.
#[test]
fn no_reader_of_a_reward_alone_learns_the_tipster() {
    let mut story = Story::told(4);
    let reward = story.proposed();
    let backup = story.town.backup();
    story.everybody_syncs();
    let now = story.town.now_ms;
    story
        .head
        .replica()
        .act(reward, &made(&GRANT), None, now)
        .unwrap();
    story.everybody_syncs();
    story.everybody_syncs();
    let both = (story.tip, reward);
    for phone in [&mut story.head, &mut story.lead] {
        knows_no_tipster(phone, both, &mut story.tipster);
    }
    // A meeting with the phone of the officer: it has both.
    story.town.pass(60_000);
    let now = story.town.now_ms;
    story
        .officer
        .replica()
        .act(reward, &comment(), None, now)
        .unwrap();
    assert!(matches!(
        story.head.meet(&mut story.officer, &story.town),
        Met::Whole(..)
    ));
    knows_no_tipster(&mut story.head, both, &mut story.tipster);
    // The tipster meets the head, and tells nothing of the tip.
    assert!(matches!(
        story.head.meet(&mut story.tipster, &story.town),
        Met::Whole(..)
    ));
    knows_no_tipster(&mut story.head, both, &mut story.tipster);
    story.town.restore(&backup);
    for _ in 0..2 {
        story.everybody_syncs();
    }
    for phone in [&mut story.head, &mut story.lead] {
        knows_no_tipster(phone, both, &mut story.tipster);
    }
    // The check finds the reporter where the reporter is known.
    let loaded = story.officer.replica().load(story.tip).unwrap().unwrap();
    let device = story.tipster.device();
    assert!(loaded.nodes().iter().any(|node| node.author == device));
}

fn comment() -> Event {
    Event::Comment(onegrid_core::domain::case::payload::Comment {
        text: words("已核实"),
        attachments: Vec::new(),
        mentions: Vec::new(),
    })
}
