//! Import from files into the store: parse against the known data, compare, then import the good rows or none.
//!
//! The comparison is the report of a dry run and of the real import. **Invariant:** a person whom a colleague has
//! changed since the comparison stays as the colleague left it.

use std::collections::BTreeMap;

use onegrid_core::domain::areas::AreaEntry;
use onegrid_core::domain::directory::{Directory, DirectoryEntry};
use onegrid_core::domain::position::Datum;
use onegrid_core::id::MemberId;

use super::changes::{self, Change, PersonChange};
use super::import::areas::{AreaFiles, AreaOptions, parse_areas, refused_row};
use super::import::list::{ListGround, parse_list};
use super::import::members::{MemberRow, parse_members};
use super::import::units::{KindChange, UnitRow, parse_units_with};
use super::import::{BadRow, Import, Place, Progress};
use super::xlsform::TemplateFile;
use crate::directory;
use crate::error::{Problem, Result};
use crate::ingest::{ListRow, Listed, RowResult};
use crate::registry::import::{Compared, ImportCounts, WorkClock};
use crate::registry::members::{MemberDescription, id_of_external};
use crate::registry::mergers::{self, Belongings};
use crate::registry::templates::PutResult;
use crate::server::Server;
use crate::store::MemberRow as PresentRow;

/// Result of an import.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Rows that changed the store, or would change it.
    pub changed: usize,
    /// Rows that changed nothing.
    pub unchanged: usize,
    /// Refused rows.
    pub bad: Vec<BadRow>,
    /// Remarks about things that were left out as usual.
    pub notes: Vec<BadRow>,
    /// External ids of people who were held back whole because of a bad row.
    pub held_back: Vec<String>,
    /// Every change, made or not.
    pub changes: Vec<Change>,
    /// Whether the good rows were left out because of the bad ones.
    pub withheld: bool,
}

/// Treatment of the good rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Import the good rows, even if there are bad ones.
    Rest,
    /// Import nothing if there are bad ones.
    Strict,
    /// Import nothing, and tell the changes.
    DryRun,
}

/// An order to import.
#[derive(Debug, Clone, Copy)]
pub struct Order<'a> {
    /// Treatment of the good rows.
    pub mode: Mode,
    /// Actor in the audit log.
    pub actor: &'a str,
    /// Server time, ms UTC.
    pub now_ms: i64,
}

/// Imports areas with their boundaries.
pub fn import_areas(
    server: &Server,
    files: &AreaFiles,
    datum: Datum,
    order: Order<'_>,
    progress: &mut Progress<'_>,
) -> Result<Outcome> {
    let known = known(server)?;
    let options = AreaOptions {
        valid_from_ms: order.now_ms,
        datum,
    };
    let mut import = parse_areas(files, &known.areas, options, progress);
    keep_inhabited(server, files, &known, &mut import, order.now_ms)?;
    let changes = changes::of_areas(&known.areas, &import.good);
    take(import, changes, order.mode, |good| {
        let entries = good.into_iter().map(DirectoryEntry::Area).collect();
        server.publish(entries, order.actor, order.now_ms)
    })
}

/// Refuses the end of areas that still have areas below, units or people when the table is imported.
fn keep_inhabited(
    server: &Server,
    files: &AreaFiles,
    known: &Directory,
    import: &mut Import<AreaEntry>,
    now_ms: i64,
) -> Result<()> {
    let ends = |entry: &AreaEntry| entry.version.valid_to_ms.is_some_and(|end| end <= now_ms);
    if !import.good.iter().any(ends) {
        return Ok(());
    }
    let mut after = known.clone();
    for entry in &import.good {
        // The parser has applied each of them already.
        let _ = after.areas.apply(entry.clone());
    }
    let (good, mut bad) = (std::mem::take(&mut import.good), Vec::new());
    import.good = server.store().read::<_, Problem>(|tx| {
        let mut kept = Vec::with_capacity(good.len());
        for entry in good {
            let found = if ends(&entry) {
                mergers::left_behind(tx, &after, entry.id, now_ms)?
            } else {
                Belongings::default()
            };
            if found.is_empty() {
                kept.push(entry);
                continue;
            }
            let who = mergers::named(tx, &after, &found)?;
            let row = refused_row(files, entry.version.code, "import.area_not_empty");
            bad.push(row.with(vec![
                ("areas", found.areas.len().to_string()),
                ("units", found.units.len().to_string()),
                ("people", found.people.len().to_string()),
                ("who", who),
            ]));
        }
        Ok(kept)
    })?;
    import.bad.append(&mut bad);
    Ok(())
}

/// Imports units and teams.
pub fn import_units(
    server: &Server,
    file: &str,
    bytes: &[u8],
    order: Order<'_>,
    progress: &mut Progress<'_>,
) -> Result<Outcome> {
    let kinds = KindChange::default();
    import_units_with(server, (file, bytes), kinds, order, progress)
}

/// Imports units and teams from a file with this name, with a choice about changed kinds.
pub fn import_units_with(
    server: &Server,
    file: (&str, &[u8]),
    kinds: KindChange,
    order: Order<'_>,
    progress: &mut Progress<'_>,
) -> Result<Outcome> {
    let known = known(server)?;
    let places = (&known.areas, &known.units);
    let import = parse_units_with(file.0, file.1, places, kinds, progress);
    let change = |row: &UnitRow| Change::Unit {
        external_id: row.external_id.clone(),
        before: known.units.get(&row.unit.id).cloned(),
        after: row.unit.clone(),
    };
    let changes = import.good.iter().map(change).collect();
    take(import, changes, order.mode, |good| {
        let ids = good
            .iter()
            .map(|row| (row.unit.id.0, row.external_id.clone()));
        server.note_external_ids(ids.collect())?;
        let units = good.into_iter().map(|row| DirectoryEntry::Unit(row.unit));
        server.publish(units.collect(), order.actor, order.now_ms)
    })
}

/// Treatment of people whose name differs from the stored one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Renaming {
    /// Such a person is held back, because the id may be mistyped or used again.
    #[default]
    HeldBack,
    /// Such a person gets the new name.
    Wanted,
}

/// Imports members with their roles. Members that the file does not mention stay unchanged. A gap in
/// the file takes no role away, and no stored person gets another name.
pub fn import_members(
    server: &Server,
    file: &str,
    bytes: &[u8],
    order: Order<'_>,
    progress: &mut Progress<'_>,
) -> Result<Outcome> {
    let renaming = Renaming::default();
    import_members_with(server, (file, bytes), renaming, order, progress)
}

/// Imports members like [`import_members`], with a choice about other names.
pub fn import_members_with(
    server: &Server,
    (file, bytes): (&str, &[u8]),
    renaming: Renaming,
    order: Order<'_>,
    progress: &mut Progress<'_>,
) -> Result<Outcome> {
    let clock = WorkClock::starting_at(order.now_ms);
    let known = known(server)?;
    let authority = *server.keys().authority();
    let mut import = parse_members(file, bytes, &known.areas, &known.units, &mut |_, _| {});
    let people = std::mem::take(&mut import.good);
    let described = people.into_iter().map(|row| {
        let member = MemberDescription {
            id: id_of_external(&authority, &row.external_id),
            public_name: Some(row.public_name.clone()),
            area: row.home,
            grants: row.grants.clone(),
        };
        (row, member)
    });
    let mut planned = Planned {
        file,
        renaming,
        import: Import {
            bad: import.bad,
            notes: import.notes,
            held_back: import.held_back,
            is_partial: import.is_partial,
            ..Import::default()
        },
        changes: Vec::new(),
        unchanged_ids: Vec::new(),
    };
    let described: Vec<_> = described.collect();
    server.store().read::<_, Problem>(|tx| {
        for (row, member) in described {
            let present = tx.member(member.id)?;
            planned.add(row, member, present);
        }
        Ok(())
    })?;
    let Planned {
        import,
        changes,
        unchanged_ids,
        ..
    } = planned;
    let mut stale = Vec::new();
    let taken = take(import, changes, order.mode, |good| {
        let all = good.len();
        let changed_ids = good
            .iter()
            .map(|person| (person.member.described.id.0, person.external_id.clone()));
        // An import of an older version did not note the ids of people who have not changed since.
        let ids = unchanged_ids.into_iter().chain(changed_ids).collect();
        server.note_external_ids(ids)?;
        let mut places = BTreeMap::new();
        let mut members = Vec::with_capacity(all);
        for person in good {
            let id: MemberId = person.member.described.id;
            places.insert(id, (person.line, person.external_id));
            members.push(person.member);
        }
        let mut slices = |done| progress(done, all);
        let (counts, changed) = server.put_compared(members, order.actor, clock, &mut slices)?;
        stale.extend(changed.iter().filter_map(|id| places.remove(id)));
        Ok(counts)
    });
    let mut outcome = taken?;
    for (line, external_id) in stale {
        outcome.hold_back(file, line, "import.changed_meanwhile", external_id);
    }
    Ok(outcome)
}

impl Outcome {
    /// Names a person who stays as before although the report had a change.
    fn hold_back(&mut self, file: &str, line: u64, code: &'static str, external_id: String) {
        self.changes.retain(
            |change| !matches!(change, Change::Person(one) if one.external_id == external_id),
        );
        self.bad
            .push(BadRow::new(file, Place::Line(line), code, &external_id));
        self.held_back.push(external_id);
    }
}

/// A person of a file.
struct PersonOfFile {
    /// First line of the person.
    line: u64,
    external_id: String,
    member: Compared,
}

/// People of a file, compared with the present state.
struct Planned<'a> {
    file: &'a str,
    renaming: Renaming,
    /// People with a change.
    import: Import<PersonOfFile>,
    changes: Vec<Change>,
    unchanged_ids: Vec<([u8; 16], String)>,
}

impl Planned<'_> {
    fn add(&mut self, row: MemberRow, member: MemberDescription, present: Option<PresentRow>) {
        let Some(change) = PersonChange::of(&row.external_id, &member, present.as_ref()) else {
            self.import.unchanged += 1;
            self.unchanged_ids.push((member.id.0, row.external_id));
            return;
        };
        let had_name = change
            .name_before
            .as_ref()
            .is_some_and(|name| !name.is_empty());
        let held_back = if had_name && self.renaming == Renaming::HeldBack {
            Some("import.name_differs")
        } else if self.import.is_partial && !change.taken.is_empty() {
            Some("import.would_take_roles")
        } else {
            None
        };
        if let Some(code) = held_back {
            let place = Place::Line(row.line);
            let bad = BadRow::new(self.file, place, code, &row.external_id);
            self.import.bad.push(bad);
            self.import.held_back.push(row.external_id);
            return;
        }
        self.changes.push(Change::Person(change));
        self.import.good.push(PersonOfFile {
            line: row.line,
            external_id: row.external_id,
            member: Compared {
                described: member,
                before: present,
            },
        });
    }
}

/// Imports the list of a month as records. A row that was imported before and says the same is unchanged, and
/// one that says something else is named, because people may have worked on its record since.
pub fn import_list(
    server: &Server,
    (file, bytes): (&str, &[u8]),
    listed: Listed,
    order: Order<'_>,
    progress: &mut Progress<'_>,
) -> Result<Outcome> {
    if listed.month.begin_ms() > order.now_ms {
        return Err(Problem::new("import.month_ahead").with("month", listed.month));
    }
    let known = known(server)?;
    let ground = ListGround {
        list: listed.list,
        month: listed.month,
        areas: &known.areas,
        now_ms: order.now_ms,
    };
    let mut import = parse_list(file, bytes, &ground, progress);
    let rows = std::mem::take(&mut import.good);
    let compared = server.compare_list(listed, &rows)?;
    for (row, result) in rows.into_iter().zip(compared) {
        match result {
            RowResult::New => import.good.push(row),
            RowResult::Known => import.unchanged += 1,
            other => import.bad.extend(bad_result(file, &row, other)),
        }
    }
    let mut refused = Vec::new();
    let mut outcome = take(import, Vec::new(), order.mode, |good| {
        let results = server.put_list(listed, &good, order.actor, order.now_ms)?;
        let mut counts = ImportCounts::default();
        for (row, result) in good.iter().zip(results) {
            match result {
                RowResult::New => counts.changed += 1,
                RowResult::Known => counts.unchanged += 1,
                other => refused.extend(bad_result(file, row, other)),
            }
        }
        Ok(counts)
    })?;
    outcome.bad.extend(refused);
    in_order(&mut outcome.bad);
    Ok(outcome)
}

/// The report about a row whose record is not as the row says.
fn bad_result(file: &str, row: &ListRow, result: RowResult) -> Option<BadRow> {
    let code = match result {
        RowResult::New | RowResult::Known => return None,
        RowResult::Differs => "import.row_differs",
        RowResult::Refused(code) => code,
    };
    Some(BadRow::new(file, Place::Line(row.line), code, &row.id))
}

/// Imports a template of checklists from a workbook or from JSON, as a whole or not at all.
pub fn import_template(
    server: &Server,
    file: &str,
    bytes: &[u8],
    actor: &str,
    now_ms: i64,
) -> Result<Outcome> {
    let refused = |bad| Outcome {
        bad,
        withheld: true,
        ..Outcome::default()
    };
    let read = match TemplateFile::parse(file, bytes) {
        Ok(read) => read,
        Err(bad) => return Ok(refused(bad)),
    };
    let version = read.template.version();
    let counted = |changed, unchanged| Outcome {
        changed,
        unchanged,
        ..Outcome::default()
    };
    Ok(match server.put_template(&read.template, actor, now_ms)? {
        PutResult::Published => counted(1, 0),
        PutResult::Known => counted(0, 1),
        PutResult::Taken => refused(vec![read.refused(file, "template.version_taken", version)]),
        PutResult::Older { newest } => refused(vec![read.refused(file, "template.older", newest)]),
    })
}

fn known(server: &Server) -> Result<Directory> {
    server
        .store()
        .read::<_, Problem>(|tx| Ok(directory::read(tx)?))
}

/// Imports the good rows as the mode says.
fn take<T>(
    import: Import<T>,
    changes: Vec<Change>,
    mode: Mode,
    store: impl FnOnce(Vec<T>) -> Result<ImportCounts>,
) -> Result<Outcome> {
    let mut outcome = Outcome {
        unchanged: import.unchanged,
        bad: import.bad,
        notes: import.notes,
        held_back: import.held_back,
        changes,
        ..Outcome::default()
    };
    in_order(&mut outcome.bad);
    match mode {
        Mode::Strict if !outcome.bad.is_empty() => outcome.withheld = true,
        Mode::DryRun => outcome.changed = import.good.len(),
        Mode::Strict | Mode::Rest => {
            let taken = store(import.good)?;
            outcome.changed = taken.changed;
            outcome.unchanged += taken.unchanged;
        }
    }
    Ok(outcome)
}

/// Sorts bad rows as their files have them; the parts of the import find them in turns.
fn in_order(bad: &mut [BadRow]) {
    let mut files: Vec<String> = Vec::new();
    for row in bad.iter() {
        if !files.contains(&row.file) {
            files.push(row.file.clone());
        }
    }
    bad.sort_by_key(|row| (files.iter().position(|file| *file == row.file), row.place));
}

#[cfg(test)]
#[path = "take_in_tests.rs"]
mod tests;
