//! A checked template.

use std::collections::BTreeMap;

use super::answer::Answer;
use super::expression::Expression;
use super::kind::{Choice, Kind};
use super::name::{ItemId, TemplateId};
use super::raw::{self, RawChoice, RawInterval, RawItem, RawList, RawTemplate};
use super::words::Words;
use crate::domain::Role;
use crate::id::Hash;

/// A checklist: its questions in order, and their rules. Only [`Template::parse`] makes one, so each rule is
/// an expression, each reference leads to a question, and no relevance runs in a circle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    pub(super) id: TemplateId,
    pub(super) version: u32,
    pub(super) title: Words,
    pub(super) about: Option<Words>,
    pub(super) volunteers: bool,
    pub(super) restricted_place: bool,
    pub(super) next_visit: Option<Interval>,
    pub(super) lists: Vec<(ItemId, Vec<Choice>)>,
    pub(super) items: Vec<Item>,
    /// Index of each item by its id.
    pub(super) places: BTreeMap<ItemId, usize>,
    /// Indices of all items, each behind the items that its relevance depends on.
    pub(super) order: Vec<usize>,
}

/// The time until the next visit is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interval {
    /// Calendar days.
    Days(u16),
    /// Working days.
    WorkingDays(u16),
}

/// A question, a note, a section or a repeat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// The stable id.
    pub id: ItemId,
    /// The words that a person reads.
    pub label: Words,
    /// Words that help to answer.
    pub hint: Option<Words>,
    /// The type, with the data that only this type has.
    pub kind: Kind,
    /// Whether the item is shown; without a rule it always is.
    pub relevant: Option<Expression>,
    /// Whether an answer is needed where the item is shown.
    pub required: Option<Expression>,
    /// The rule that an answer has to meet.
    pub constraint: Option<Rule>,
    /// The answer that a new form begins with.
    pub default: Option<Default>,
    /// Index of the section or repeat around the item.
    pub parent: Option<usize>,
    /// Index of the repeat around the item, at any distance.
    pub repeat: Option<usize>,
}

/// A constraint and its message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// The expression; `.` is the answer.
    pub expression: Expression,
    /// The message for an answer that breaks the rule.
    pub message: Option<Words>,
}

/// The answer that a new form begins with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Default {
    /// A fixed answer.
    Answer(Answer),
    /// The day of the form.
    Today,
}

impl Template {
    /// The canonical bytes: the same template has the same bytes on every machine.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        raw::write(&self.to_raw())
    }

    /// The hash of the canonical bytes.
    #[must_use]
    pub fn hash(&self) -> Hash {
        Hash::of(&[&self.to_bytes()])
    }

    /// The stable id.
    #[must_use]
    pub fn id(&self) -> &TemplateId {
        &self.id
    }

    /// The version, from 1. A changed template has a higher one.
    #[must_use]
    pub fn version(&self) -> u32 {
        self.version
    }

    /// The name that a person reads.
    #[must_use]
    pub fn title(&self) -> &Words {
        &self.title
    }

    /// A sentence about its purpose.
    #[must_use]
    pub fn about(&self) -> Option<&Words> {
        self.about.as_ref()
    }

    /// Whether volunteers may use it.
    #[must_use]
    pub fn is_for_volunteers(&self) -> bool {
        self.volunteers
    }

    /// Whether a person of this role may use it.
    #[must_use]
    pub fn is_for(&self, role: Role) -> bool {
        self.volunteers || !matches!(role, Role::Volunteer | Role::TeamLead)
    }

    /// Whether only the people of the visit may see the name of the place, such as a resident's.
    #[must_use]
    pub fn has_restricted_place(&self) -> bool {
        self.restricted_place
    }

    /// The time until the next visit is due, unless a visit is made once.
    #[must_use]
    pub fn next_visit(&self) -> Option<Interval> {
        self.next_visit
    }

    /// All items: each section and repeat, followed by the items inside.
    #[must_use]
    pub fn items(&self) -> &[Item] {
        &self.items
    }

    /// The item of an id.
    #[must_use]
    pub fn item(&self, id: &str) -> Option<&Item> {
        self.items.get(*self.places.get(id)?)
    }

    /// The lists of choices with their names.
    pub fn lists(&self) -> impl Iterator<Item = (&ItemId, &[Choice])> {
        let lists = self.lists.iter();
        lists.map(|(name, choices)| (name, choices.as_slice()))
    }

    /// The choices of a question; empty for questions without a list.
    #[must_use]
    pub fn choices(&self, kind: &Kind) -> &[Choice] {
        match kind {
            Kind::One { list } | Kind::Many { list } => &self.lists[*list].1,
            _ => &[],
        }
    }

    fn to_raw(&self) -> RawTemplate {
        RawTemplate {
            format: raw::FORMAT,
            id: self.id.to_string(),
            version: self.version,
            title: self.title.clone(),
            about: self.about.clone(),
            volunteers: self.volunteers,
            restricted_place: self.restricted_place,
            next_visit: self.next_visit.map(Interval::to_raw),
            lists: self.lists.iter().map(raw_list).collect(),
            items: self.raw_items(None),
        }
    }

    /// The items directly inside a section or repeat. Sections are not deep, so neither is this recursion.
    fn raw_items(&self, parent: Option<usize>) -> Vec<RawItem> {
        let items = self.items.iter().enumerate();
        let inside = items.filter(|(_, item)| item.parent == parent);
        inside
            .map(|(index, item)| self.raw_item(index, item))
            .collect()
    }

    fn raw_item(&self, index: usize, item: &Item) -> RawItem {
        let source = |rule: &Option<Expression>| Some(rule.as_ref()?.source().to_owned());
        let constraint = item.constraint.as_ref();
        let mut raw = RawItem {
            kind: item.kind.name().to_owned(),
            id: item.id.to_string(),
            label: item.label.clone(),
            hint: item.hint.clone(),
            relevant: source(&item.relevant),
            required: source(&item.required),
            constraint: constraint.map(|rule| rule.expression.source().to_owned()),
            constraint_message: constraint.and_then(|rule| rule.message.clone()),
            default: item.default.as_ref().map(Default::to_text),
            list: None,
            min: None,
            max: None,
            decimals: None,
            unit: None,
            items: item.kind.has_items().then(|| self.raw_items(Some(index))),
        };
        match &item.kind {
            Kind::One { list } | Kind::Many { list } => {
                raw.list = Some(self.lists[*list].0.to_string());
            }
            Kind::Number {
                min,
                max,
                decimals,
                unit,
            } => {
                raw.min = min.map(|min| min.to_string());
                raw.max = max.map(|max| max.to_string());
                raw.decimals = (*decimals > 0).then_some(*decimals);
                raw.unit.clone_from(unit);
            }
            _ => {}
        }
        raw
    }
}

impl Default {
    /// The default as JSON writes it.
    #[must_use]
    pub fn to_text(&self) -> String {
        match self {
            Self::Answer(answer) => answer.to_text(),
            Self::Today => "today()".to_owned(),
        }
    }
}

impl Interval {
    fn to_raw(self) -> RawInterval {
        let (days, working_days) = match self {
            Self::Days(days) => (Some(days), None),
            Self::WorkingDays(days) => (None, Some(days)),
        };
        RawInterval { days, working_days }
    }
}

fn raw_list((id, choices): &(ItemId, Vec<Choice>)) -> RawList {
    let choice = |choice: &Choice| RawChoice {
        id: choice.id.clone(),
        label: choice.label.clone(),
    };
    RawList {
        id: id.to_string(),
        choices: choices.iter().map(choice).collect(),
    }
}
