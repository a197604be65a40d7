//! Events. Each is one decision, with a stable code and its own data.

use serde::{Deserialize, Serialize};

use super::Move;
use super::payload as p;
use super::{FOLD_VERSION, Party};
use crate::domain::Text;
use crate::id::{EnvelopeId, Hash};
use crate::limits::{
    ATTACHMENT_BYTES_MAX, EVENT_ATTACHMENTS_MAX, EVENT_BYTES_MAX, MENTIONS_MAX, THUMBNAIL_BYTES_MAX,
};
use crate::media::MediaType;

/// The reason why the data of an event is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EventError {
    /// The data has more bytes, attachments or mentions than allowed.
    #[error("event.too_large")]
    TooLarge,
    /// The bytes are not data of this event, or not in the one canonical form.
    #[error("event.malformed")]
    Malformed,
    /// A part that the event needs is missing: photos before and after, or any content of a comment.
    #[error("event.incomplete")]
    Incomplete,
}

macro_rules! events {
    ($($(#[$doc:meta])* $variant:ident($ty:ty) = $code:literal,)+) => {
        /// One decision about a record.
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum Event {
            $($(#[$doc])* $variant($ty),)+
            /// An event of a newer version. It is kept and forwarded, and never interpreted.
            Unknown {
                /// Its code.
                code: u16,
                /// The version of the fold that it was made for.
                fold_version: u8,
                /// Its data as received.
                data: Vec<u8>,
            },
        }

        impl Event {
            /// The codes that this version knows.
            pub const CODES: &'static [u16] = &[$($code,)+];

            /// The stable code.
            #[must_use]
            pub fn code(&self) -> u16 {
                match self {
                    $(Self::$variant(_) => $code,)+
                    Self::Unknown { code, .. } => *code,
                }
            }

            /// The code and the canonical CBOR of the data.
            #[must_use]
            pub fn encode(&self) -> (u16, Vec<u8>) {
                let data = match self {
                    $(Self::$variant(data) => minicbor::to_vec(data)
                        .expect("writing to a Vec never fails"),)+
                    Self::Unknown { data, .. } => data.clone(),
                };
                (self.code(), data)
            }

            fn decode_known(code: u16, data: &[u8]) -> Option<Result<Self, EventError>> {
                match code {
                    $($code => Some(
                        minicbor::decode(data).map(Self::$variant).map_err(|_| EventError::Malformed)
                    ),)+
                    _ => None,
                }
            }
        }
    };
}

events! {
    /// See [`Move::Triage`].
    Triage(p::Triage) = 1,
    /// See [`Move::Dispatch`].
    Dispatch(p::Dispatch) = 2,
    /// See [`Move::Accept`].
    Accept(p::Step) = 3,
    /// See [`Move::Arrive`].
    Arrive(p::Step) = 4,
    /// See [`Move::Resolve`].
    Resolve(p::Step) = 5,
    /// See [`Move::Return`].
    Return(p::GiveBack) = 6,
    /// See [`Move::Withdraw`].
    Withdraw(p::GiveBack) = 7,
    /// See [`Move::Transfer`].
    Transfer(p::Transfer) = 8,
    /// See [`Move::Share`].
    Share(p::Share) = 9,
    /// See [`Move::VerifyPass`] and [`Move::VerifyFail`].
    Verify(p::Verify) = 10,
    /// See [`Move::Close`].
    Close(p::Bare) = 11,
    /// See [`Move::FollowUp`].
    FollowUp(p::FollowUp) = 12,
    /// See [`Move::HandledOnSpot`].
    HandledOnSpot(p::HandledOnSpot) = 13,
    /// See [`Move::Dismiss`].
    Dismiss(p::Reasoned) = 14,
    /// See [`Move::Escalate`].
    Escalate(p::Escalate) = 15,
    /// See [`Move::AssignFinally`].
    AssignFinally(p::AssignFinally) = 16,
    /// See [`Move::Urge`].
    Urge(p::Bare) = 17,
    /// See [`Move::Supervise`].
    Supervise(p::Bare) = 18,
    /// See [`Move::Suspend`].
    Suspend(p::Suspend) = 19,
    /// See [`Move::Resume`].
    Resume(p::Bare) = 20,
    /// See [`Move::RequestExtension`].
    RequestExtension(p::RequestExtension) = 21,
    /// See [`Move::GrantExtension`].
    GrantExtension(p::GrantExtension) = 22,
    /// See [`Move::HandToPolice`].
    HandToPolice(p::HandToPolice) = 23,
    /// See [`Move::Merge`].
    Merge(p::Merge) = 24,
    /// See [`Move::Unmerge`].
    Unmerge(p::Bare) = 25,
    /// See [`Move::Reopen`].
    Reopen(p::Reasoned) = 26,
    /// See [`Move::DangerRemains`].
    DangerRemains(p::DangerRemains) = 27,
    /// See [`Move::Comment`].
    Comment(p::Comment) = 28,
    /// See [`Move::Seen`].
    Seen(p::Seen) = 29,
    /// The server's own [`Move::DangerRemains`], for a danger that awaits review.
    DangerHeld(p::DangerHeld) = 30,
    /// The server's own [`Move::Unmerge`], for a merge that does not hold.
    MergeUndone(p::MergeUndone) = 31,
    /// See [`Move::Step`].
    Step(p::KindStep) = 32,
    /// A [`Move::Comment`] that describes a photo or recording.
    Attach(p::Attach) = 33,
}

impl Event {
    /// Reads an event. A code or fold version of a newer app gives [`Event::Unknown`]. A known event that is
    /// malformed, not canonical, incomplete or over a limit is an error.
    pub fn decode(code: u16, fold_version: u8, data: &[u8]) -> Result<Self, EventError> {
        if data.len() > EVENT_BYTES_MAX {
            return Err(EventError::TooLarge);
        }
        let unknown = || Self::Unknown {
            code,
            fold_version,
            data: data.to_vec(),
        };
        if fold_version != FOLD_VERSION {
            return Ok(unknown());
        }
        let Some(event) = Self::decode_known(code, data) else {
            return Ok(unknown());
        };
        let event = event?;
        event.check()?;
        // One meaning has one form, so trailing fields, long integers and similar variants are refused.
        if event.encode().1 != data {
            return Err(EventError::Malformed);
        }
        Ok(event)
    }

    /// Checks that the data is complete and within the limits. Every function that makes an event calls this
    /// first.
    pub fn check(&self) -> Result<(), EventError> {
        let (attachments, mentions) = match self {
            Self::Accept(step) | Self::Arrive(step) | Self::Resolve(step) => {
                (step.attachments.len(), 0)
            }
            Self::Verify(verify) => (verify.attachments.len(), 0),
            Self::DangerRemains(danger) => (danger.attachments.len(), 0),
            Self::Step(step) => (step.attachments.len(), 0),
            Self::HandledOnSpot(photos) => {
                if photos.before.is_empty() || photos.after.is_empty() {
                    return Err(EventError::Incomplete);
                }
                (photos.before.len() + photos.after.len(), 0)
            }
            Self::Comment(comment) => {
                if comment.text.is_none() && comment.attachments.is_empty() {
                    return Err(EventError::Incomplete);
                }
                (comment.attachments.len(), comment.mentions.len())
            }
            Self::Attach(attach) => {
                check_description(attach)?;
                (1, 0)
            }
            _ => (0, 0),
        };
        if attachments > EVENT_ATTACHMENTS_MAX || mentions > MENTIONS_MAX {
            return Err(EventError::TooLarge);
        }
        Ok(())
    }

    /// The move that the event makes; `None` for an event of a newer version.
    #[must_use]
    pub fn movement(&self) -> Option<Move> {
        Some(match self {
            Self::Triage(_) => Move::Triage,
            Self::Dispatch(_) => Move::Dispatch,
            Self::Accept(_) => Move::Accept,
            Self::Arrive(_) => Move::Arrive,
            Self::Resolve(_) => Move::Resolve,
            Self::Return(_) => Move::Return,
            Self::Withdraw(_) => Move::Withdraw,
            Self::Transfer(_) => Move::Transfer,
            Self::Share(_) => Move::Share,
            Self::Verify(verify) if verify.pass => Move::VerifyPass,
            Self::Verify(_) => Move::VerifyFail,
            Self::Close(_) => Move::Close,
            Self::FollowUp(_) => Move::FollowUp,
            Self::HandledOnSpot(_) => Move::HandledOnSpot,
            Self::Dismiss(_) => Move::Dismiss,
            Self::Escalate(_) => Move::Escalate,
            Self::AssignFinally(_) => Move::AssignFinally,
            Self::Urge(_) => Move::Urge,
            Self::Supervise(_) => Move::Supervise,
            Self::Suspend(_) => Move::Suspend,
            Self::Resume(_) => Move::Resume,
            Self::RequestExtension(_) => Move::RequestExtension,
            Self::GrantExtension(_) => Move::GrantExtension,
            Self::HandToPolice(_) => Move::HandToPolice,
            Self::Merge(_) => Move::Merge,
            Self::Unmerge(_) | Self::MergeUndone(_) => Move::Unmerge,
            Self::Reopen(_) => Move::Reopen,
            Self::DangerRemains(_) | Self::DangerHeld(_) => Move::DangerRemains,
            Self::Comment(_) | Self::Attach(_) => Move::Comment,
            Self::Seen(_) => Move::Seen,
            Self::Step(_) => Move::Step,
            Self::Unknown { .. } => return None,
        })
    }

    /// The text that a person typed into the event. The match lists every event, so that a new one is not
    /// forgotten.
    #[must_use]
    pub fn words(&self) -> Option<&Text> {
        match self {
            Self::Triage(data) => data.note.as_ref(),
            Self::Dispatch(data) => data.note.as_ref(),
            Self::Accept(data) | Self::Arrive(data) | Self::Resolve(data) => data.note.as_ref(),
            Self::Return(data) | Self::Withdraw(data) => Some(&data.reason),
            Self::Transfer(data) => Some(&data.reason),
            Self::Share(data) => data.note.as_ref(),
            Self::Verify(data) => data.note.as_ref(),
            Self::Close(data)
            | Self::Urge(data)
            | Self::Supervise(data)
            | Self::Resume(data)
            | Self::Unmerge(data) => data.note.as_ref(),
            Self::FollowUp(data) => data.note.as_ref(),
            Self::HandledOnSpot(data) => data.note.as_ref(),
            Self::Dismiss(data) | Self::Reopen(data) => Some(&data.reason),
            Self::Escalate(data) => Some(&data.reason),
            Self::AssignFinally(data) => Some(&data.reason),
            Self::Suspend(data) => Some(&data.reason),
            Self::RequestExtension(data) => Some(&data.reason),
            Self::GrantExtension(data) => data.note.as_ref(),
            Self::HandToPolice(data) => Some(&data.reason),
            Self::Merge(data) => data.note.as_ref(),
            Self::DangerRemains(data) => data.text.as_ref(),
            Self::Comment(data) => data.text.as_ref(),
            Self::Step(data) => data.note.as_ref(),
            Self::Seen(_)
            | Self::DangerHeld(_)
            | Self::MergeUndone(_)
            | Self::Attach(_)
            | Self::Unknown { .. } => None,
        }
    }

    /// The ids of the photos and recordings that the event names.
    #[must_use]
    pub fn attachments(&self) -> Vec<Hash> {
        match self {
            Self::Accept(step) | Self::Arrive(step) | Self::Resolve(step) => {
                step.attachments.clone()
            }
            Self::Verify(verify) => verify.attachments.clone(),
            Self::DangerRemains(danger) => danger.attachments.clone(),
            Self::Step(step) => step.attachments.clone(),
            Self::Comment(comment) => comment.attachments.clone(),
            Self::Attach(attach) => vec![attach.id],
            Self::HandledOnSpot(photos) => [photos.before.as_slice(), &photos.after].concat(),
            _ => Vec::new(),
        }
    }

    /// Whether the event says that something is still wrong: `danger_remains`, verify fail, reopen, and an
    /// escalation by a person (never one by a rule).
    #[must_use]
    pub fn is_danger(&self) -> bool {
        match self {
            Self::Escalate(escalate) => escalate.rule.is_none(),
            other => other.movement().is_some_and(Move::may_be_danger),
        }
    }

    /// The rule that made the event, when it is one that rules can make.
    #[must_use]
    pub fn rule(&self) -> Option<&crate::domain::Code> {
        match self {
            Self::Triage(triage) => triage.rule.as_ref(),
            Self::Dispatch(dispatch) => dispatch.rule.as_ref(),
            Self::Escalate(escalate) => escalate.rule.as_ref(),
            _ => None,
        }
    }

    /// Whether only the server's own author makes the event, by a rule or because no other author can.
    #[must_use]
    pub fn is_automatic(&self) -> bool {
        self.rule().is_some() || matches!(self, Self::DangerHeld(_) | Self::MergeUndone(_))
    }

    /// The assignment that the event is about.
    #[must_use]
    pub fn assignment(&self) -> Option<EnvelopeId> {
        match self {
            Self::Accept(step) | Self::Arrive(step) | Self::Resolve(step) => Some(step.assignment),
            Self::Return(back) | Self::Withdraw(back) => Some(back.assignment),
            Self::RequestExtension(request) => Some(request.assignment),
            _ => None,
        }
    }

    /// The party that the event makes responsible.
    #[must_use]
    pub fn assignee(&self) -> Option<Party> {
        match self {
            Self::Dispatch(dispatch) => Some(dispatch.to),
            Self::AssignFinally(assign) => Some(assign.to),
            Self::Share(p::Share {
                with: p::Partner::Party(party),
                ..
            }) => Some(*party),
            _ => None,
        }
    }
}

/// Checks the sizes of a description. The content of a thumbnail is no matter of verdicts, because these must not
/// depend on the details of a parser.
fn check_description(attach: &p::Attach) -> Result<(), EventError> {
    let thumbnail = attach.thumbnail.as_ref().map_or(0, Vec::len);
    if thumbnail > THUMBNAIL_BYTES_MAX {
        return Err(EventError::TooLarge);
    }
    // A newer app may set other limits for its own types.
    let Some(media) = attach.media_type() else {
        return Ok(());
    };
    if usize::try_from(attach.bytes).map_or(true, |bytes| bytes > ATTACHMENT_BYTES_MAX) {
        return Err(EventError::TooLarge);
    }
    let has_empty_part = attach.bytes == 0 || attach.thumbnail.as_ref().is_some_and(Vec::is_empty);
    let has_picture_of_sound = media == MediaType::M4a && thumbnail > 0;
    if has_empty_part || has_picture_of_sound {
        return Err(EventError::Malformed);
    }
    Ok(())
}
