//! 矛盾纠纷: neighbours, family, land, wages, noise. The title is the matter in a few words.
//!
//! Staff of the area read a dispute, so its fields hold roles such as “the flat above” and no names. The names
//! of the parties are in a private note that is linked to the dispute. A party who is a member is named in the
//! Genesis; such a person reads the dispute, and takes no step in it.

mod list;
mod resolution;
mod steps;

#[cfg(test)]
mod tests;

pub use self::list::LIST;
pub use self::resolution::{Counted, Rate, resolution};
pub use self::steps::{
    AGREE, AGREED, ANNUL, CANCELLED, COMBINE, COMBINED, CONCLUDE, CONCLUDED, FAIL, FAILED,
    FAR_APART, KEPT, MEDIATING, NO_DISPUTE, PARTLY_KEPT, PARTY_ABSENT, PASS_ON, PASSED_ON,
    REGISTERED, REINSTATE, RETRY, REVISIT, REVISITED, SESSION, STEPS, TO_ARBITRATION, TO_AUTHORITY,
    TO_COURT, TO_POLICE, UNWILLING, WRONG_ENTRY,
};
use super::{KindSpec, Lifecycle};
use crate::domain::RecordKind;
use crate::domain::content::{Content, Details, Field, FieldSpec, FieldValue, ValueType};
use crate::domain::permissions::Row;
use crate::id::RecordId;
use crate::limits::{AMOUNT_FEN_MAX, RECORD_LINKS_MAX, TEXT_CHARS_MAX};

/// The kind.
pub const KIND: RecordKind = RecordKind::of_code(4);

/// What the dispute is about, 1 to 10. [`DISPUTE_TYPE_TEXTS`] has the words.
pub const DISPUTE_TYPE: FieldSpec = FieldSpec {
    name: "dispute_type",
    value: ValueType::Number { min: 1, max: 10 },
    texts: DISPUTE_TYPE_TEXTS,
};

/// The texts of [`DISPUTE_TYPE`], from 1 on.
pub const DISPUTE_TYPE_TEXTS: &[&str] = &[
    "dispute.neighbours",
    "dispute.family",
    "dispute.land",
    "dispute.wages",
    "dispute.noise",
    "dispute.property",
    "dispute.medical",
    "dispute.traffic",
    "dispute.contract",
    "dispute.other",
];

/// How grave it is, 1 to 4.
pub const DISPUTE_LEVEL: FieldSpec = FieldSpec {
    name: "dispute_level",
    value: ValueType::Number { min: 1, max: 4 },
    texts: &[
        "severity.general",
        "severity.elevated",
        "severity.serious",
        "severity.critical",
    ],
};

/// The parties in a few words, without names.
pub const PARTIES: FieldSpec = short("parties");
/// The leader in the list of responsibilities (包案领导).
pub const DUTY_LEADER: FieldSpec = short("duty_leader");
/// The unit in the list of responsibilities (责任单位).
pub const DUTY_UNIT: FieldSpec = short("duty_unit");
/// The person in the list of responsibilities (责任人).
pub const DUTY_PERSON: FieldSpec = short("duty_person");

/// The deadline in the list of responsibilities, ms UTC.
pub const DEADLINE_MS: FieldSpec = FieldSpec {
    name: "deadline_ms",
    value: ValueType::Number {
        min: i64::MIN,
        max: i64::MAX,
    },
    texts: &[],
};

/// The words about the sessions, beside the words of each step.
pub const SESSIONS: FieldSpec = long("sessions");
/// The words of the agreement.
pub const AGREEMENT: FieldSpec = long("agreement");

/// Money, in fen.
pub const AMOUNT_FEN: FieldSpec = FieldSpec {
    name: "amount_fen",
    value: ValueType::Number {
        min: 0,
        max: AMOUNT_FEN_MAX,
    },
    texts: &[],
};

/// The ids of cases and disputes that it came from, with spaces between them.
pub const LINKS: FieldSpec = FieldSpec {
    name: "links",
    value: ValueType::Text {
        chars_max: RECORD_LINKS_MAX * (RECORD_ID_CHARS + 1),
    },
    texts: &[],
};

/// The id of the dispute that continues after the step `combine`.
pub const COMBINED_INTO: FieldSpec = short("combined_into");
/// The month of the list that it was imported from, such as 2026-11.
pub const LIST_MONTH: FieldSpec = short("list_month");
/// The id of the row in that list.
pub const LIST_ROW: FieldSpec = short("list_row");

/// Characters of an id of a record.
const RECORD_ID_CHARS: usize = 36;

const fn short(name: &'static str) -> FieldSpec {
    FieldSpec {
        name,
        value: ValueType::SHORT,
        texts: &[],
    }
}

const fn long(name: &'static str) -> FieldSpec {
    FieldSpec {
        name,
        value: ValueType::Text {
            chars_max: TEXT_CHARS_MAX,
        },
        texts: &[],
    }
}

/// Everything that generic code may know of the kind.
pub static SPEC: KindSpec = KindSpec {
    kind: KIND,
    name: "dispute",
    lifecycle: Lifecycle::Steps(&STEPS),
    fields: &[
        DISPUTE_TYPE,
        DISPUTE_LEVEL,
        PARTIES,
        DUTY_LEADER,
        DUTY_UNIT,
        DUTY_PERSON,
        DEADLINE_MS,
        SESSIONS,
        AGREEMENT,
        AMOUNT_FEN,
        LINKS,
        COMBINED_INTO,
        LIST_MONTH,
        LIST_ROW,
    ],
    weight: Some(&DISPUTE_LEVEL),
    exported: &[
        DISPUTE_TYPE,
        DISPUTE_LEVEL,
        DUTY_LEADER,
        DUTY_UNIT,
        DUTY_PERSON,
        DEADLINE_MS,
        AMOUNT_FEN,
        COMBINED_INTO,
        LIST_MONTH,
        LIST_ROW,
    ],
    is_sensitive: true,
    report: Row::RegisterDispute,
    audience: None,
    needs_link: false,
    form: None,
};

/// The content of a dispute.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Dispute {
    /// The fields that all kinds share; the title is the matter in a few words.
    pub details: Details,
    /// The type, 1 to 10.
    pub dispute_type: Option<u8>,
    /// How grave it is, 1 to 4.
    pub level: Option<u8>,
    /// The parties in a few words, without names.
    pub parties: Option<String>,
    /// The leader in the list of responsibilities.
    pub leader: Option<String>,
    /// The unit in the list of responsibilities.
    pub unit: Option<String>,
    /// The person in the list of responsibilities.
    pub person: Option<String>,
    /// The deadline in the list of responsibilities, ms UTC.
    pub deadline_ms: Option<i64>,
    /// The words about the sessions.
    pub sessions: Option<String>,
    /// The words of the agreement.
    pub agreement: Option<String>,
    /// Money, in fen.
    pub amount_fen: Option<i64>,
    /// The cases and disputes that it came from.
    pub links: Vec<RecordId>,
    /// The dispute that continues.
    pub combined_into: Option<RecordId>,
    /// The month of the list that it was imported from.
    pub list_month: Option<String>,
    /// The id of the row in that list.
    pub list_row: Option<String>,
}

impl Dispute {
    /// Reads the content of a dispute; `None` for another kind. A malformed id reads as absent, and so do the
    /// links after the first [`RECORD_LINKS_MAX`].
    #[must_use]
    pub fn of(content: &Content) -> Option<Self> {
        let words = |field| content.text(field).map(str::to_owned);
        let small = |field| u8::try_from(content.number(field)?).ok();
        let links = content.text(&LINKS).unwrap_or_default().split_whitespace();
        (content.kind() == KIND).then(|| Self {
            details: content.details().clone(),
            dispute_type: small(&DISPUTE_TYPE),
            level: small(&DISPUTE_LEVEL),
            parties: words(&PARTIES),
            leader: words(&DUTY_LEADER),
            unit: words(&DUTY_UNIT),
            person: words(&DUTY_PERSON),
            deadline_ms: content.number(&DEADLINE_MS),
            sessions: words(&SESSIONS),
            agreement: words(&AGREEMENT),
            amount_fen: content.number(&AMOUNT_FEN),
            links: links
                .filter_map(|id| id.parse().ok())
                .take(RECORD_LINKS_MAX)
                .collect(),
            combined_into: combined_into(content),
            list_month: words(&LIST_MONTH),
            list_row: words(&LIST_ROW),
        })
    }
}

/// The dispute that continues, as the content names it.
fn combined_into(content: &Content) -> Option<RecordId> {
    content.text(&COMBINED_INTO)?.parse().ok()
}

impl From<Dispute> for Content {
    fn from(dispute: Dispute) -> Self {
        let number = |value: Option<u8>| value.map(i64::from).map(FieldValue::Number);
        let words = |value: Option<String>| value.map(FieldValue::Text);
        let links: Vec<String> = dispute.links.iter().map(ToString::to_string).collect();
        let links = (!links.is_empty()).then(|| links.join(" "));
        let into = dispute.combined_into.map(|id| id.to_string());
        let fields = [
            (&DISPUTE_TYPE, number(dispute.dispute_type)),
            (&DISPUTE_LEVEL, number(dispute.level)),
            (&PARTIES, words(dispute.parties)),
            (&DUTY_LEADER, words(dispute.leader)),
            (&DUTY_UNIT, words(dispute.unit)),
            (&DUTY_PERSON, words(dispute.person)),
            (&DEADLINE_MS, dispute.deadline_ms.map(FieldValue::Number)),
            (&SESSIONS, words(dispute.sessions)),
            (&AGREEMENT, words(dispute.agreement)),
            (&AMOUNT_FEN, dispute.amount_fen.map(FieldValue::Number)),
            (&LINKS, words(links)),
            (&COMBINED_INTO, words(into)),
            (&LIST_MONTH, words(dispute.list_month)),
            (&LIST_ROW, words(dispute.list_row)),
        ];
        let mut content = SPEC.content_of(dispute.details);
        for (spec, value) in fields {
            if let Some(value) = value {
                content.set(Field::Own(spec), value);
            }
        }
        content
    }
}
