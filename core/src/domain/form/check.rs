//! JSON to a checked template.

use std::collections::{BTreeMap, BTreeSet};

use super::answer::Answer;
use super::decimal::Decimal;
use super::error::TemplateError;
use super::expression::{Expression, Scope, Target};
use super::kind::{Choice, Kind};
use super::name::ItemId;
use super::order;
use super::raw::{self, RawInterval, RawItem, RawList, RawTemplate};
use super::template::{Default, Interval, Item, Rule, Template};
use super::words::Words;
use crate::limits::{
    ANSWER_CHARS_MAX, FORM_CHOICES_ALL_MAX, FORM_CHOICES_MAX, FORM_ITEMS_MAX, FORM_NAME_BYTES_MAX,
    FORM_SECTION_DEPTH_MAX,
};

impl Template {
    /// Reads and checks a template from JSON of any spelling.
    pub fn parse(bytes: &[u8]) -> Result<Self, TemplateError> {
        template(raw::read::<RawTemplate>(bytes)?)
    }
}

/// Digits after the point that a number may have.
const DECIMALS_MAX: u8 = 6;

/// Checks everything about a template.
pub(super) fn template(raw: RawTemplate) -> Result<Template, TemplateError> {
    let id = raw.id.parse();
    let id = id.map_err(|_| TemplateError::BadName(shortened(&raw.id)))?;
    if raw.version == 0 {
        return Err(TemplateError::BadCount { field: "version" });
    }
    for words in [Some(&raw.title), raw.about.as_ref()].into_iter().flatten() {
        sound(words, &raw.id)?;
    }
    let next_visit = raw.next_visit.map(interval).transpose()?;
    let lists = lists(raw.lists)?;
    let flat = flatten(raw.items)?;
    let places = places(&flat)?;
    let items = items(flat, &lists, &places)?;
    let order = order::of(&items)?;
    Ok(Template {
        id,
        version: raw.version,
        title: raw.title,
        about: raw.about,
        volunteers: raw.volunteers,
        restricted_place: raw.restricted_place,
        next_visit,
        lists,
        items,
        places,
        order,
    })
}

fn interval(raw: RawInterval) -> Result<Interval, TemplateError> {
    match (raw.days, raw.working_days) {
        (Some(days), None) if days > 0 => Ok(Interval::Days(days)),
        (None, Some(days)) if days > 0 => Ok(Interval::WorkingDays(days)),
        _ => Err(TemplateError::BadCount {
            field: "next_visit",
        }),
    }
}

fn lists(raw: Vec<RawList>) -> Result<Vec<(ItemId, Vec<Choice>)>, TemplateError> {
    let (mut lists, mut names) = (Vec::new(), BTreeSet::new());
    let all: usize = raw.iter().map(|list| list.choices.len()).sum();
    if all > FORM_CHOICES_ALL_MAX {
        return Err(TemplateError::ItemCount);
    }
    for list in raw {
        let id = name(&list.id)?;
        if !names.insert(id.clone()) {
            return Err(TemplateError::Duplicate(list.id));
        }
        if list.choices.is_empty() || list.choices.len() > FORM_CHOICES_MAX {
            return Err(TemplateError::ChoiceCount(list.id));
        }
        let mut known = BTreeSet::new();
        for choice in &list.choices {
            if !is_choice_id(&choice.id) {
                return Err(TemplateError::BadName(shortened(&choice.id)));
            }
            if !known.insert(choice.id.as_str()) {
                return Err(TemplateError::Duplicate(choice.id.clone()));
            }
            sound(&choice.label, &choice.id)?;
        }
        // All choices at once are an answer, and have to fit into its field.
        let bytes: usize = known.iter().map(|id| id.len() + 1).sum();
        if bytes > ANSWER_CHARS_MAX {
            return Err(TemplateError::ChoiceCount(list.id));
        }
        let choices = list.choices.into_iter().map(|choice| Choice {
            id: choice.id,
            label: choice.label,
        });
        lists.push((id, choices.collect()));
    }
    Ok(lists)
}

/// A choice may have capitals and points too, because the lists of other systems have.
fn is_choice_id(id: &str) -> bool {
    (1..=FORM_NAME_BYTES_MAX).contains(&id.len())
        && id
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte))
}

/// An item of the tree in a list: each section and repeat before its items.
struct Flat {
    raw: RawItem,
    parent: Option<usize>,
    repeat: Option<usize>,
}

fn flatten(raw: Vec<RawItem>) -> Result<Vec<Flat>, TemplateError> {
    let mut flat: Vec<Flat> = Vec::new();
    // The iterators of the sections that are open, the innermost last.
    let mut open = vec![(raw.into_iter(), None, None)];
    while let Some((items, parent, repeat)) = open.last_mut() {
        let Some(mut raw) = items.next() else {
            open.pop();
            continue;
        };
        let (parent, repeat, index) = (*parent, *repeat, flat.len());
        if index >= FORM_ITEMS_MAX {
            return Err(TemplateError::ItemCount);
        }
        let inside = raw.items.take();
        let is_repeat = raw.kind == "repeat";
        let has_items = is_repeat || raw.kind == "section";
        if (is_repeat && repeat.is_some()) || open.len() > FORM_SECTION_DEPTH_MAX {
            return Err(TemplateError::TooDeep(shortened(&raw.id)));
        }
        let item = shortened(&raw.id);
        flat.push(Flat {
            raw,
            parent,
            repeat,
        });
        match inside {
            Some(_) if !has_items => {
                let field = "items";
                return Err(TemplateError::MisplacedField { item, field });
            }
            Some(items) if !items.is_empty() => {
                let repeat = if is_repeat { Some(index) } else { repeat };
                open.push((items.into_iter(), Some(index), repeat));
            }
            _ if has_items => {
                let field = "items";
                return Err(TemplateError::MissingField { item, field });
            }
            _ => {}
        }
    }
    if flat.is_empty() {
        return Err(TemplateError::ItemCount);
    }
    Ok(flat)
}

fn places(flat: &[Flat]) -> Result<BTreeMap<ItemId, usize>, TemplateError> {
    let mut places = BTreeMap::new();
    for (index, item) in flat.iter().enumerate() {
        if places.insert(name(&item.raw.id)?, index).is_some() {
            return Err(TemplateError::Duplicate(item.raw.id.clone()));
        }
    }
    Ok(places)
}

fn items(
    flat: Vec<Flat>,
    lists: &[(ItemId, Vec<Choice>)],
    places: &BTreeMap<ItemId, usize>,
) -> Result<Vec<Item>, TemplateError> {
    let kinds = flat.iter().map(|item| kind(&item.raw, lists));
    let kinds = kinds.collect::<Result<Vec<Kind>, _>>()?;
    // The repeat around each item, by index; a repeat is in none.
    let repeats: Vec<Option<usize>> = flat.iter().map(|item| item.repeat).collect();
    let target = |name: &str, from: Option<usize>| match places.get(name) {
        None => Target::Unknown,
        Some(&index) => match &kinds[index] {
            Kind::Repeat => Target::Repeat(index),
            kind if !kind.is_question() => Target::Unknown,
            _ if repeats[index].is_none() || repeats[index] == from => Target::Answer(index),
            _ => Target::Elsewhere,
        },
    };
    let mut items = Vec::with_capacity(flat.len());
    for (item, kind) in flat.into_iter().zip(&kinds) {
        let from = item.repeat;
        let find = |name: &str| target(name, from);
        items.push(checked(item, kind.clone(), lists, &find)?);
    }
    Ok(items)
}

fn checked(
    Flat {
        raw,
        parent,
        repeat,
    }: Flat,
    kind: Kind,
    lists: &[(ItemId, Vec<Choice>)],
    find: &dyn Fn(&str) -> Target,
) -> Result<Item, TemplateError> {
    let texts = [Some(&raw.label), raw.hint.as_ref(), raw.unit.as_ref()];
    let message = raw.constraint_message.as_ref();
    for words in texts.into_iter().chain([message]).flatten() {
        sound(words, &raw.id)?;
    }
    let rule = |field: &'static str, text: &Option<String>| {
        let has_own = field == "constraint";
        let parse = |text: &String| Expression::parse(text, &Scope { find, has_own });
        let parsed = text.as_ref().map(parse).transpose();
        parsed.map_err(|error| TemplateError::Rule {
            item: raw.id.clone(),
            field,
            error,
        })
    };
    let relevant = rule("relevant", &raw.relevant)?;
    let required = rule("required", &raw.required)?;
    let constraint = rule("constraint", &raw.constraint)?;
    if constraint.is_none() && raw.constraint_message.is_some() {
        return Err(misplaced(&raw, "constraint_message"));
    }
    Ok(Item {
        id: name(&raw.id)?,
        default: default(&raw, &kind, lists)?,
        label: raw.label,
        hint: raw.hint,
        kind,
        relevant,
        required,
        constraint: constraint.map(|expression| Rule {
            expression,
            message: raw.constraint_message,
        }),
        parent,
        repeat,
    })
}

fn default(
    raw: &RawItem,
    kind: &Kind,
    lists: &[(ItemId, Vec<Choice>)],
) -> Result<Option<Default>, TemplateError> {
    let Some(text) = &raw.default else {
        return Ok(None);
    };
    if matches!(kind, Kind::Date) && text == "today()" {
        return Ok(Some(Default::Today));
    }
    let choices = match kind {
        Kind::One { list } | Kind::Many { list } => lists[*list].1.as_slice(),
        _ => &[],
    };
    let bad = || TemplateError::BadDefault(raw.id.clone());
    let answer = Answer::of_text(kind, choices, text).map_err(|_| bad())?;
    if super::state::in_range(kind, &answer).is_err() {
        return Err(bad());
    }
    Ok(Some(Default::Answer(answer)))
}

/// Reads the type and refuses fields of other types.
fn kind(raw: &RawItem, lists: &[(ItemId, Vec<Choice>)]) -> Result<Kind, TemplateError> {
    let list = || {
        let wanted = raw.list.as_ref().ok_or(TemplateError::MissingField {
            item: raw.id.clone(),
            field: "list",
        })?;
        let found = lists.iter().position(|(id, _)| id.as_str() == wanted);
        found.ok_or_else(|| TemplateError::UnknownList {
            item: raw.id.clone(),
            list: shortened(wanted),
        })
    };
    let kind = match raw.kind.as_str() {
        "note" => Kind::Note,
        "text" => Kind::Text,
        "number" => number(raw)?,
        "one" => Kind::One { list: list()? },
        "many" => Kind::Many { list: list()? },
        "yes_no" => Kind::YesNo,
        "date" => Kind::Date,
        "time" => Kind::Time,
        "position" => Kind::Position,
        "photo" => Kind::Photo,
        "section" => Kind::Section,
        "repeat" => Kind::Repeat,
        newer => {
            return Err(TemplateError::Newer {
                part: shortened(newer),
            });
        }
    };
    let (is_number, is_question) = (matches!(kind, Kind::Number { .. }), kind.is_question());
    let has_list = matches!(kind, Kind::One { .. } | Kind::Many { .. });
    let fields = [
        ("list", raw.list.is_some(), has_list),
        ("min", raw.min.is_some(), is_number),
        ("max", raw.max.is_some(), is_number),
        ("decimals", raw.decimals.is_some(), is_number),
        ("unit", raw.unit.is_some(), is_number),
        ("required", raw.required.is_some(), is_question),
        ("constraint", raw.constraint.is_some(), is_question),
        ("default", raw.default.is_some(), is_question),
    ];
    let wrong = fields.into_iter().find(|(_, given, fits)| *given && !fits);
    wrong.map_or(Ok(kind), |(field, ..)| Err(misplaced(raw, field)))
}

fn number(raw: &RawItem) -> Result<Kind, TemplateError> {
    let bad = || TemplateError::BadRange(raw.id.clone());
    let bound = |text: &Option<String>| {
        let parse = |text: &String| Decimal::parse(text).ok_or_else(bad);
        text.as_ref().map(parse).transpose()
    };
    let (min, max) = (bound(&raw.min)?, bound(&raw.max)?);
    let decimals = raw.decimals.unwrap_or(0);
    let crossed = min.zip(max).is_some_and(|(min, max)| min > max);
    if crossed || decimals > DECIMALS_MAX {
        return Err(bad());
    }
    Ok(Kind::Number {
        min,
        max,
        decimals,
        unit: raw.unit.clone(),
    })
}

fn misplaced(raw: &RawItem, field: &'static str) -> TemplateError {
    TemplateError::MisplacedField {
        item: raw.id.clone(),
        field,
    }
}

fn name(text: &str) -> Result<ItemId, TemplateError> {
    let name = text.parse();
    name.map_err(|_| TemplateError::BadName(shortened(text)))
}

fn sound(words: &Words, of: &str) -> Result<(), TemplateError> {
    if words.is_sound() {
        Ok(())
    } else {
        Err(TemplateError::BadWords(shortened(of)))
    }
}

/// A text of the template as an error repeats it.
fn shortened(text: &str) -> String {
    text.chars().take(40).collect()
}
