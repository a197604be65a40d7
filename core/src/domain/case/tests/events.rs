//! Tests events on the wire: stable codes, one form, limits.

use super::support::*;
use crate::domain::area::AreaLevel;
use crate::domain::case::payload as p;
use crate::domain::case::{Event, EventError, FOLD_VERSION, Part, Party};
use crate::id::{EnvelopeId, Hash, MemberId, RecordId};
use crate::limits::{
    ATTACHMENT_BYTES_MAX, EVENT_ATTACHMENTS_MAX, EVENT_BYTES_MAX, MENTIONS_MAX, THUMBNAIL_BYTES_MAX,
};

#[allow(clippy::too_many_lines, reason = "one entry for each event")]
fn one_of_each() -> Vec<Event> {
    let id = EnvelopeId([9; 16]);
    let deadlines = p::Deadlines {
        accept_by_ms: Some(1),
        arrive_by_ms: None,
        resolve_by_ms: Some(3),
    };
    let to = Party::Member(member(4));
    let reason = || text("原因");
    vec![
        triage(),
        dispatch_to(to, Part::Support),
        Event::Accept(step(id)),
        Event::Arrive(step(id)),
        Event::Resolve(p::Step {
            assignment: id,
            attachments: vec![Hash([3; 32])],
            note: None,
        }),
        Event::Return(give_back(id)),
        Event::Withdraw(give_back(id)),
        Event::Transfer(p::Transfer {
            to: path(&[1, 2]),
            reason: reason(),
        }),
        Event::Share(p::Share {
            with: p::Partner::Area(path(&[1, 8])),
            deadlines,
            note: None,
        }),
        verify(false),
        Event::Close(bare()),
        Event::FollowUp(p::FollowUp {
            satisfied: Some(true),
            note: Some(reason()),
        }),
        on_spot(),
        Event::Dismiss(reasoned()),
        escalate(AreaLevel::District, true),
        Event::AssignFinally(p::AssignFinally {
            to,
            deadlines,
            reason: reason(),
        }),
        Event::Urge(bare()),
        Event::Supervise(bare()),
        suspend(),
        Event::Resume(bare()),
        Event::RequestExtension(p::RequestExtension {
            assignment: id,
            until_ms: -1,
            reason: reason(),
        }),
        Event::GrantExtension(p::GrantExtension {
            request: id,
            until_ms: 7,
            note: None,
        }),
        Event::HandToPolice(p::HandToPolice {
            to: Some(unit(3)),
            reason: reason(),
        }),
        Event::Merge(p::Merge {
            into: RecordId([6; 16]),
            note: None,
        }),
        Event::Unmerge(bare()),
        Event::Reopen(reasoned()),
        danger(),
        comment("话"),
        Event::Seen(p::Seen {}),
        danger_held(id),
        merge_undone(id, p::MergeFault::Mutual),
        Event::Step(p::KindStep {
            step: 3,
            reason: Some(1),
            attachments: vec![Hash([5; 32])],
            note: Some(reason()),
        }),
        Event::Attach(attach()),
    ]
}

#[test]
fn every_event_round_trips_and_keeps_its_code() {
    let all = one_of_each();
    let codes: Vec<u16> = all.iter().map(Event::code).collect();
    assert_eq!(codes, (1..=33).collect::<Vec<u16>>(), "codes are frozen");
    assert_eq!(codes, Event::CODES);
    for event in all {
        let (code, data) = event.encode();
        assert_eq!(
            Event::decode(code, FOLD_VERSION, &data),
            Ok(event.clone()),
            "{event:?}"
        );
        let json = serde_json::to_string(&event).unwrap();
        assert_eq!(serde_json::from_str::<Event>(&json).unwrap(), event);
    }
}

#[test]
fn the_bytes_of_events_are_frozen() {
    let mut all = one_of_each();
    let later = all.split_off(32);
    let bytes = |events: &[Event]| -> Vec<u8> {
        events.iter().flat_map(|event| event.encode().1).collect()
    };
    assert_eq!(
        Hash::of(&[&bytes(&all)]).to_string(),
        GOLDEN,
        "other bytes are another event code"
    );
    let attach = [
        &[0x86, 0x58, 32][..],
        &[5; 32],
        &[1, 0x19, 3, 0xe8, 0x50],
        &[6; 16],
        &[0x43, 1, 2, 3, 0x82, 0x18, 96, 0x18, 64],
    ];
    assert_eq!(bytes(&later), attach.concat());
}

const GOLDEN: &str = "818a4793fefc25f8994b5e9981bf1d7cf66f070e345c27b6e8dc95b495204ad9";

#[test]
fn newer_codes_and_versions_are_kept_not_understood() {
    let (code, data) = triage().encode();
    for (code, version) in [
        (34, FOLD_VERSION),
        (u16::MAX, FOLD_VERSION),
        (code, FOLD_VERSION + 1),
    ] {
        let event = Event::decode(code, version, &data).unwrap();
        assert!(matches!(event, Event::Unknown { .. }));
        assert_eq!(event.encode(), (code, data.clone()));
        assert_eq!(event.movement(), None);
        assert!(!event.is_danger());
    }
}

#[test]
fn truncated_flipped_and_padded_data_never_passes_as_something_else() {
    for event in one_of_each() {
        let (code, data) = event.encode();
        for cut in 0..data.len() {
            let read = Event::decode(code, FOLD_VERSION, &data[..cut]);
            assert!(read.is_err(), "{event:?} cut at {cut} gives {read:?}");
        }
        let mut padded = data.clone();
        padded.push(0);
        assert_eq!(
            Event::decode(code, FOLD_VERSION, &padded),
            Err(EventError::Malformed)
        );
        for bit in 0..data.len() * 8 {
            let mut flipped = data.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            if let Ok(read) = Event::decode(code, FOLD_VERSION, &flipped) {
                assert_eq!(read.encode().1, flipped, "one meaning has one form");
            }
        }
    }
    // An array with one field too many, and one of indefinite length.
    assert!(Event::decode(29, FOLD_VERSION, &[0x81, 0x00]).is_err());
    assert!(Event::decode(29, FOLD_VERSION, &[0x9f, 0xff]).is_err());
}

#[test]
fn descriptions_out_of_bounds_are_refused() {
    let change = |change: &dyn Fn(&mut p::Attach)| {
        let mut changed = attach();
        change(&mut changed);
        Event::Attach(changed).check()
    };
    let bytes_max = u32::try_from(ATTACHMENT_BYTES_MAX).unwrap();
    assert_eq!(change(&|a| a.bytes = bytes_max), Ok(()));
    assert_eq!(
        change(&|a| a.bytes = bytes_max + 1),
        Err(EventError::TooLarge)
    );
    assert_eq!(change(&|a| a.bytes = 0), Err(EventError::Malformed));
    let thumbnail = |bytes| Some(vec![7; bytes]);
    assert_eq!(
        change(&|a| a.thumbnail = thumbnail(THUMBNAIL_BYTES_MAX)),
        Ok(())
    );
    let too_large = change(&|a| a.thumbnail = thumbnail(THUMBNAIL_BYTES_MAX + 1));
    assert_eq!(too_large, Err(EventError::TooLarge));
    assert_eq!(
        change(&|a| a.thumbnail = thumbnail(0)),
        Err(EventError::Malformed)
    );
    assert_eq!(
        change(&|a| a.media = 2),
        Err(EventError::Malformed),
        "sound has no picture"
    );
    assert_eq!(change(&|a| (a.media, a.thumbnail) = (2, None)), Ok(()));
    assert_eq!(
        change(&|a| (a.media, a.bytes) = (9, u32::MAX)),
        Ok(()),
        "a newer type"
    );
}

#[test]
fn limits_hold_for_attachments_mentions_and_bytes() {
    let many = |count| vec![Hash([1; 32]); count];
    let comment = |attachments, mentions| {
        let mentions = vec![MemberId([1; 16]); mentions];
        Event::Comment(p::Comment {
            text: None,
            attachments,
            mentions,
        })
    };
    assert_eq!(
        comment(many(EVENT_ATTACHMENTS_MAX), MENTIONS_MAX).check(),
        Ok(())
    );
    let over = comment(many(EVENT_ATTACHMENTS_MAX + 1), 0);
    assert_eq!(over.check(), Err(EventError::TooLarge));
    assert_eq!(
        comment(many(1), MENTIONS_MAX + 1).check(),
        Err(EventError::TooLarge)
    );
    assert_eq!(comment(many(0), 0).check(), Err(EventError::Incomplete));
    let (code, data) = over.encode();
    assert_eq!(
        Event::decode(code, FOLD_VERSION, &data),
        Err(EventError::TooLarge)
    );
    let big = vec![0; EVENT_BYTES_MAX + 1];
    assert_eq!(Event::decode(9_999, 1, &big), Err(EventError::TooLarge));
    let half = p::HandledOnSpot {
        before: many(1),
        after: vec![],
        note: None,
    };
    assert_eq!(
        Event::HandledOnSpot(half).check(),
        Err(EventError::Incomplete)
    );
}
