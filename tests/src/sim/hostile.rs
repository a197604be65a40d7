//! After the storm comes the phone of an attacker with the right to edit. It tries two kinds of changes.
//!
//! The first kind has the same meaning in other bytes than automerge writes. A document that imported it would have
//! another hash after it is loaded again. The second kind is a change of another author in an envelope of the
//! attacker.

use onegrid_core::crdt::{ActorId, Document, FieldEdit};
use onegrid_core::domain::content::{Field, FieldValue};
use onegrid_core::domain::kinds::hazard;
use onegrid_core::id::DeviceId;
use onegrid_core::wire::body::{Body, Change};
use sha2::{Digest as _, Sha256};

use super::act::broken;
use super::chance::Chance;
use super::rogue::seal;
use super::world::{Person, World};

/// Records that the attacker tries.
const RECORDS_MAX: usize = 10;

/// Magic bytes and checksum precede the type; the length follows.
const TYPE_AT: usize = 8;
const CHECKSUM: std::ops::Range<usize> = 4..8;
/// The column with the action of each operation.
const ACTION: u64 = 0x42;

impl World {
    /// Enrols the attacker. It reads, writes and stays. It has dice of its own, so all earlier steps stay as they
    /// are.
    pub fn attacker_comes(&mut self) -> Result<(), String> {
        let mut dice = Chance::new(self.chance.clone().below(usize::MAX) as u64);
        let head = ("station_head", "330105013003;330105013001");
        let mut phone = self.town.enrol("hacked", head.0, head.1, "");
        phone.try_sync(&mut self.town)?;
        let rows = phone.replica().rows();
        let rows = rows.map_err(|error| broken("list", &error))?;
        for row in rows.iter().take(RECORDS_MAX) {
            let loaded = phone.replica().load(row.id);
            let loaded = loaded.map_err(|error| broken("load", &error))?;
            let Some(loaded) = loaded.filter(|loaded| !loaded.heads().is_empty()) else {
                continue;
            };
            let device = phone.device();
            let Some(document) = loaded.document() else {
                continue;
            };
            let twisted = other_bytes(document, &device, dice.bytes());
            let tries = [
                (twisted, "in other bytes"),
                (
                    of_another(document, &device),
                    "with the change of somebody else",
                ),
            ];
            for (change, what) in tries {
                let Some(change) = change else { continue };
                let body = Body::Change(Change {
                    salt: Some(dice.bytes()),
                    change,
                    replaces: None,
                });
                let clock_ms = phone.clock_ms(&self.town);
                let authority = self.town.keys().authority();
                let (id, bundle) = seal(&mut phone, (&loaded, clock_ms), &body, authority)?;
                self.forged.insert(id);
                self.forged_on.insert(row.id);
                self.to_the_server(bundle, &format!("{id} {what}"))?;
            }
        }
        self.people.push(Person::new(phone, true));
        Ok(())
    }
}

/// Returns an honest edit of the severity with the one row of its action column written as a run of one in place of
/// a literal; `None` if the edit has another form.
fn other_bytes(document: &Document, device: &DeviceId, epoch: [u8; 8]) -> Option<Vec<u8>> {
    let edit = FieldEdit::set(Field::Own(&hazard::SEVERITY), FieldValue::Number(4));
    let edits = [
        edit,
        FieldEdit::set(Field::Own(&hazard::SEVERITY), FieldValue::Number(3)),
    ];
    let actor = ActorId::new(device, epoch);
    let honest = edits
        .iter()
        .find_map(|edit| document.edit(actor, std::slice::from_ref(edit)).ok())?;
    rewritten(honest)
}

/// Returns the newest change of another device, to be sent under the attacker's own name.
fn of_another(document: &Document, device: &DeviceId) -> Option<Vec<u8>> {
    let foreign = document
        .changes()
        .zip(document.raw_changes())
        .filter(|(change, _)| !change.actor.device().matches(device));
    foreign.last().map(|(_, raw)| raw)
}

fn rewritten(mut raw: Vec<u8>) -> Option<Vec<u8>> {
    let (literal, run) = ([0x7f, 1], [1, 1]);
    let at = action_column(&raw)?;
    if raw.get(at..at + 2)? != literal {
        return None;
    }
    raw[at..at + 2].copy_from_slice(&run);
    let hash = Sha256::digest(&raw[TYPE_AT..]);
    raw[CHECKSUM].copy_from_slice(&hash[..4]);
    Some(raw)
}

/// Returns the place where the data of the action column begin.
fn action_column(raw: &[u8]) -> Option<usize> {
    let mut at = TYPE_AT + 1;
    number(raw, &mut at)?;
    at += 32 * usize::try_from(number(raw, &mut at)?).ok()?;
    skip(raw, &mut at)?;
    // Sequence number, first operation, time.
    for _ in 0..3 {
        number(raw, &mut at)?;
    }
    skip(raw, &mut at)?;
    for _ in 0..number(raw, &mut at)? {
        skip(raw, &mut at)?;
    }
    let mut columns = Vec::new();
    for _ in 0..number(raw, &mut at)? {
        columns.push((number(raw, &mut at)?, number(raw, &mut at)?));
    }
    for (column, length) in columns {
        if column == ACTION {
            return (length == 2).then_some(at);
        }
        at += usize::try_from(length).ok()?;
    }
    None
}

/// Skips a part that begins with its length.
fn skip(raw: &[u8], at: &mut usize) -> Option<()> {
    let length = number(raw, at)?;
    *at += usize::try_from(length).ok()?;
    Some(())
}

/// Reads a LEB128 number. Signed numbers are read as unsigned, because their value does not matter here.
fn number(raw: &[u8], at: &mut usize) -> Option<u64> {
    let mut value = 0;
    for shift in (0..63).step_by(7) {
        let byte = *raw.get(*at)?;
        *at += 1;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}
