//! The task list of a town: classes, items and clauses.
//!
//! The official list has 6 classes, 18 items and 73 clauses. Its texts are the town's. The shipped list has
//! ids alone, and each name without words says that the town fills it in.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::error::TemplateError;
use super::name::TemplateId;
use super::raw;
use super::words::Words;
use crate::limits::{FORM_NAME_BYTES_MAX, TASK_CLAUSES_MAX};
use crate::texts::{Lang, say};

/// A task list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TaskList {
    format: u32,
    id: String,
    version: u32,
    title: Words,
    classes: Vec<TaskClass>,
}

/// A class of a task list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TaskClass {
    /// The stable id.
    pub id: String,
    /// Its name, once the town has filled it in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Words>,
    /// Its items.
    pub items: Vec<TaskItem>,
}

/// An item of a class.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TaskItem {
    /// The stable id.
    pub id: String,
    /// Its name, once the town has filled it in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Words>,
    /// Its clauses.
    pub clauses: Vec<TaskClause>,
}

/// A clause of an item.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TaskClause {
    /// The stable id.
    pub id: String,
    /// Its text, once the town has filled it in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Words>,
}

impl TaskList {
    /// Reads and checks a task list from JSON.
    pub fn parse(bytes: &[u8]) -> Result<Self, TemplateError> {
        let list: Self = raw::read(bytes)?;
        if list.id.parse::<TemplateId>().is_err() {
            return Err(TemplateError::BadName(list.id));
        }
        if list.version == 0 {
            return Err(TemplateError::BadCount { field: "version" });
        }
        let mut ids = BTreeSet::new();
        for (id, name) in list.parts() {
            if ids.len() >= TASK_CLAUSES_MAX {
                return Err(TemplateError::ItemCount);
            }
            let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_-".contains(&b);
            if !(1..=FORM_NAME_BYTES_MAX).contains(&id.len()) || !id.bytes().all(plain) {
                return Err(TemplateError::BadName(id.chars().take(40).collect()));
            }
            if name.is_some_and(|name| !name.is_sound()) {
                return Err(TemplateError::BadWords(id.to_owned()));
            }
            if !ids.insert(id) {
                return Err(TemplateError::Duplicate(id.to_owned()));
            }
        }
        Ok(list)
    }

    /// The canonical bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        raw::write(self)
    }

    /// The version, from 1.
    #[must_use]
    pub fn version(&self) -> u32 {
        self.version
    }

    /// The name of the list.
    #[must_use]
    pub fn title(&self) -> &Words {
        &self.title
    }

    /// The classes.
    #[must_use]
    pub fn classes(&self) -> &[TaskClass] {
        &self.classes
    }

    /// All items, class by class.
    pub fn items(&self) -> impl Iterator<Item = &TaskItem> {
        self.classes.iter().flat_map(|class| &class.items)
    }

    /// All clauses, item by item.
    pub fn clauses(&self) -> impl Iterator<Item = &TaskClause> {
        self.items().flat_map(|item| &item.clauses)
    }

    /// The id and the name of every class, item and clause.
    fn parts(&self) -> impl Iterator<Item = (&str, Option<&Words>)> {
        let classes = self.classes.iter();
        let classes = classes.map(|class| (class.id.as_str(), class.name.as_ref()));
        let items = self
            .items()
            .map(|item| (item.id.as_str(), item.name.as_ref()));
        let clauses = self.clauses();
        let clauses = clauses.map(|clause| (clause.id.as_str(), clause.name.as_ref()));
        classes.chain(items).chain(clauses)
    }
}

/// The name of a part of a task list; without one, its id and that the town fills it in.
#[must_use]
pub fn task_name(id: &str, name: Option<&Words>, lang: Lang) -> String {
    match name {
        Some(name) => name.in_lang(lang).to_owned(),
        None => say("form.town_fills_in", lang, &[("item", id)]),
    }
}
