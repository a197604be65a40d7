//! The one function that judges a form.
//!
//! ```text
//!  1 rows       marks and answers ─▶ the rows of each repeat, in one order on every phone
//!  2 relevance  in the order of Template::order, each item once for each row
//!  3 judgement  required, type, range, constraint, progress
//! ```
//!
//! Its cost is the number of items times the rows of their repeat times the steps of their rules, and each of
//! the three has a limit.

use std::collections::{BTreeMap, BTreeSet};

use super::answer::{Answer, AnswerError, RowMark};
use super::answers::Answers;
use super::calendar::Date;
use super::expression::{Place, Value};
use super::kind::Kind;
use super::name::{ItemId, RowId};
use super::state::{FormState, ItemState, Problem, Progress, in_range};
use super::template::{Default, Item, Template};
use crate::limits::FORM_ROWS_MAX;

/// The answers belong to another template, or to another version of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("form.other_version")]
pub struct OtherTemplate;

impl OtherTemplate {
    /// The stable code.
    #[must_use]
    pub fn code(self) -> &'static str {
        "form.other_version"
    }
}

/// Judges all answers of a form. `today` is the day that `today()` gives; the caller takes it from the time of
/// the visit, so that a later look gives the same state.
pub fn evaluate<'a>(
    template: &'a Template,
    answers: &'a Answers,
    today: Date,
) -> Result<FormState<'a>, OtherTemplate> {
    if answers.template != *template.id() || answers.version != template.version() {
        return Err(OtherTemplate);
    }
    let mut form = Form::new(template, answers, today);
    for &index in &template.order {
        form.decide(index);
    }
    Ok(form.judge())
}

impl Template {
    /// The answers that a new form begins with; with a repeat, the answers of a new row.
    pub fn defaults(
        &self,
        repeat: Option<&ItemId>,
        today: Date,
    ) -> impl Iterator<Item = (&ItemId, Answer)> {
        let repeat = repeat.and_then(|id| self.places.get(id).copied());
        let inside = self.items.iter().filter(move |item| item.repeat == repeat);
        inside.filter_map(move |item| {
            let answer = match item.default.as_ref()? {
                Default::Answer(answer) => answer.clone(),
                Default::Today => Answer::Date(today),
            };
            Some((&item.id, answer))
        })
    }
}

/// The state of one item in one row.
#[derive(Clone, Copy, Default)]
struct Cell<'a> {
    given: Option<&'a Result<Answer, AnswerError>>,
    /// The given value, if it is an answer to the question.
    answer: Option<&'a Answer>,
    relevant: bool,
}

struct Form<'a> {
    template: &'a Template,
    today: Date,
    /// The rows of each repeat that count, by the index of its item.
    rows: BTreeMap<usize, Vec<RowId>>,
    /// Repeats with more rows than the limit.
    crowded: BTreeSet<usize>,
    /// The cells of each item: one outside repeats, one for each row inside.
    cells: Vec<Vec<Cell<'a>>>,
    unknown: Vec<String>,
    removed_rows: Vec<(ItemId, RowId)>,
}

/// The place of one cell, as expressions see the form from it.
struct At<'f, 'a> {
    form: &'f Form<'a>,
    row: usize,
}

impl<'a> Place<'a> for At<'_, 'a> {
    fn answer(&self, item: usize) -> Value<'a> {
        let cell = self.form.cell(item, self.row);
        let shown = cell.answer.filter(|_| cell.relevant);
        shown.map_or(Value::BLANK, Answer::value)
    }

    fn rows(&self, item: usize) -> usize {
        if self.form.cell(item, 0).relevant {
            self.form.rows.get(&item).map_or(0, Vec::len)
        } else {
            0
        }
    }

    fn today(&self) -> Date {
        self.form.today
    }
}

impl<'a> Form<'a> {
    fn new(template: &'a Template, answers: &'a Answers, today: Date) -> Self {
        let mut form = Self {
            template,
            today,
            rows: BTreeMap::new(),
            crowded: BTreeSet::new(),
            cells: Vec::new(),
            unknown: answers.unknown.clone(),
            removed_rows: Vec::new(),
        };
        form.find_rows(answers);
        let none = Vec::new();
        let count = |item: &Item| match item.repeat {
            Some(repeat) => form.rows.get(&repeat).unwrap_or(&none).len(),
            None => 1,
        };
        let cells = template.items.iter();
        form.cells = cells
            .map(|item| vec![Cell::default(); count(item)])
            .collect();
        form.place(answers);
        form
    }

    /// Finds the rows of each repeat. A row exists if it has a mark or an answer, and is not
    /// removed. Rows are ordered by the time of their mark; a row without a mark is behind the
    /// others. If there are more than count, devices take turns.
    fn find_rows(&mut self, answers: &'a Answers) {
        let mut found: BTreeMap<usize, BTreeMap<RowId, (i64, bool)>> = BTreeMap::new();
        for key in answers.given.keys() {
            let item = self.template.item(key.item.as_str());
            if let (Some(row), Some(repeat)) = (key.row, item.and_then(|item| item.repeat)) {
                let rows = found.entry(repeat).or_default();
                rows.insert(row, (i64::MAX, false));
            }
        }
        for ((repeat, row), mark) in &answers.rows {
            let Some(&index) = self.template.places.get(repeat) else {
                self.unknown.push(format!("{repeat}-{row}"));
                continue;
            };
            let rows = found.entry(index).or_default();
            match mark {
                RowMark::Added(at_ms) => drop(rows.insert(*row, (*at_ms, false))),
                RowMark::Removed => {
                    if let Some((_, removed)) = rows.get_mut(row) {
                        *removed = true;
                        self.removed_rows.push((repeat.clone(), *row));
                    }
                }
            }
        }
        for (repeat, rows) in found {
            let here = rows.into_iter().filter(|(_, (_, removed))| !removed);
            let mut here: Vec<(i64, RowId)> = here.map(|(row, (at_ms, _))| (at_ms, row)).collect();
            here.sort_unstable();
            if here.len() > FORM_ROWS_MAX {
                self.crowded.insert(repeat);
                here = fairly(&self.template.items[repeat].id, here, answers);
            }
            let rows = here.into_iter().map(|(_, row)| row).collect();
            self.rows.insert(repeat, rows);
        }
    }

    /// Puts each given answer into its cell.
    fn place(&mut self, answers: &'a Answers) {
        let by_row: BTreeMap<(usize, RowId), usize> = self
            .rows
            .iter()
            .flat_map(|(repeat, rows)| rows.iter().zip(0..).map(|(row, at)| ((*repeat, *row), at)))
            .collect();
        for (key, given) in &answers.given {
            let index = self.template.places.get(&key.item).copied();
            let item = index.map(|index| &self.template.items[index]);
            let (Some(index), Some(item)) = (index, item.filter(|item| item.kind.is_question()))
            else {
                self.unknown.push(key.to_string());
                continue;
            };
            let row = match (item.repeat, key.row) {
                (None, None) => 0,
                (Some(repeat), Some(row)) => match by_row.get(&(repeat, row)) {
                    Some(at) => *at,
                    // The row is removed, or beyond the limit.
                    None => continue,
                },
                _ => {
                    self.unknown.push(key.to_string());
                    continue;
                }
            };
            let choices = self.template.choices(&item.kind);
            let fits = |answer: &&Answer| answer.fits(&item.kind, choices).is_ok();
            self.cells[index][row] = Cell {
                given: Some(given),
                answer: given.as_ref().ok().filter(fits),
                relevant: false,
            };
        }
    }

    /// The cell of an item, seen from a row. An item outside repeats has the same cell for all rows.
    fn cell(&self, item: usize, row: usize) -> Cell<'a> {
        let row = if self.template.items[item].repeat.is_some() {
            row
        } else {
            0
        };
        self.cells[item].get(row).copied().unwrap_or_default()
    }

    /// Decides whether an item is shown, in each row. Everything it depends on is decided.
    fn decide(&mut self, index: usize) {
        let item = &self.template.items[index];
        for row in 0..self.cells[index].len() {
            let parent = item
                .parent
                .is_none_or(|parent| self.cell(parent, row).relevant);
            let own = |form: &Self| {
                let at = At { form, row };
                let rule = item.relevant.as_ref();
                rule.is_none_or(|rule| rule.run(&at, None).is_true())
            };
            let relevant = parent && own(self);
            self.cells[index][row].relevant = relevant;
        }
    }

    fn judge(mut self) -> FormState<'a> {
        let mut items = Vec::new();
        let mut progress = Progress::default();
        let mut index = 0;
        while index < self.template.items.len() {
            let item = &self.template.items[index];
            items.push(self.judged(index, 0, None));
            index += 1;
            if !matches!(item.kind, Kind::Repeat) {
                continue;
            }
            let inside = self.template.items[index..].iter();
            let inside = inside.take_while(|inner| inner.repeat.is_some()).count();
            let rows = self.rows.get(&(index - 1)).map_or(&[][..], Vec::as_slice);
            for (at, row) in rows.iter().enumerate() {
                for inner in index..index + inside {
                    if self.template.items[inner].repeat == Some(index - 1) {
                        items.push(self.judged(inner, at, Some(*row)));
                    }
                }
            }
            index += inside;
        }
        for state in items.iter().filter(|state| state.required) {
            progress.required += 1;
            progress.answered += usize::from(state.answer.is_some());
        }
        self.unknown.sort();
        FormState {
            items,
            progress,
            unknown: self.unknown,
            removed_rows: self.removed_rows,
        }
    }

    fn judged(&self, index: usize, at: usize, row: Option<RowId>) -> ItemState<'a> {
        let item = &self.template.items[index];
        let cell = self.cell(index, at);
        let place = At {
            form: self,
            row: at,
        };
        let rule = item.required.as_ref().filter(|_| cell.relevant);
        let required = rule.is_some_and(|rule| rule.run(&place, None).is_true());
        let problem = if cell.relevant {
            self.problem(index, cell, required, &place)
        } else {
            None
        };
        ItemState {
            item,
            row,
            relevant: cell.relevant,
            required,
            answer: cell.answer.filter(|_| cell.relevant && problem.is_none()),
            problem,
        }
    }

    fn problem(
        &self,
        index: usize,
        cell: Cell<'a>,
        required: bool,
        place: &At<'_, 'a>,
    ) -> Option<Problem<'a>> {
        let item = &self.template.items[index];
        if self.crowded.contains(&index) {
            return Some(Problem::TooManyRows);
        }
        let answer = match (cell.given, cell.answer) {
            (None, _) => return required.then_some(Problem::Missing),
            (Some(Err(error)), _) => return Some(Problem::Unreadable(*error)),
            (Some(Ok(given)), None) => {
                let choices = self.template.choices(&item.kind);
                let error = given.fits(&item.kind, choices).err();
                return error.map(Problem::Unreadable);
            }
            (_, Some(answer)) => answer,
        };
        if let Err(problem) = in_range(&item.kind, answer) {
            return Some(problem);
        }
        let rule = item.constraint.as_ref()?;
        let met = rule.expression.run(place, Some(&answer.value())).is_true();
        (!met).then_some(Problem::Constraint(rule.message.as_ref()))
    }
}

/// The rows of a crowded repeat that count. Devices take turns, each with its earliest rows first,
/// so a device that adds many rows with early marks pushes out its own. Rows without a mark share
/// the turns of one device.
fn fairly(repeat: &ItemId, rows: Vec<(i64, RowId)>, answers: &Answers) -> Vec<(i64, RowId)> {
    let mut turns: BTreeMap<Option<[u8; 8]>, usize> = BTreeMap::new();
    let device = |row: RowId| answers.devices.get(&(repeat.clone(), row)).copied();
    let mut in_turns: Vec<(usize, (i64, RowId))> = rows
        .into_iter()
        .map(|(at_ms, row)| {
            let turn = turns.entry(device(row)).or_default();
            *turn += 1;
            (*turn, (at_ms, row))
        })
        .collect();
    in_turns.sort_unstable();
    in_turns.truncate(FORM_ROWS_MAX);
    let mut counting: Vec<_> = in_turns.into_iter().map(|(_, row)| row).collect();
    counting.sort_unstable();
    counting
}
