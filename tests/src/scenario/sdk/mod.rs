//! The verbs of scenarios as calls of `onegrid-ffi`, in the way of an app.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panic")]

mod arguments;
mod attachments;
mod shown;
mod walks;

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use onegrid_ffi::device::{Device, open_device};
use onegrid_ffi::host::{ChangeListener, KeyVault, ListenerError, StatusListener, VaultError};
use onegrid_ffi::phone::{MeetingListener, Phone};
use onegrid_ffi::types as t;
use onegrid_ffi::{Answer, OneGridError, Subscription};
use serde_json::{Value, json};
use tempfile::TempDir;

use self::arguments::{Arguments, field_value};
use self::attachments::attachment_verb;
use self::shown::{
    code, hex, met, planned, shown_counts, shown_form, shown_form_row, shown_linked, shown_me,
    shown_moves, shown_parcels, shown_record, shown_templates, snake, synced,
};
use self::walks::walk_verb;
use super::{Call, Sdk};

/// Rows of a page: few, so the scenarios need several pages.
const ROWS: u32 = 5;
/// The longest wait of a listener for a word.
const HEARD_WAIT: Duration = Duration::from_mins(2);

/// Devices and phones of one scenario.
pub struct FfiSdk {
    folder: TempDir,
    devices: HashMap<String, Unpacked>,
    phones: HashMap<String, Held>,
}

struct Unpacked {
    device: Arc<Device>,
    vault: Arc<MemoryVault>,
    folder: PathBuf,
}

struct Held {
    phone: Arc<Phone>,
    syncing: Option<JoinHandle<Answer<t::SyncReport>>>,
    listener: Option<Arc<MeetingListener>>,
    accepting: Option<JoinHandle<Answer<t::MeetingReport>>>,
    watch: Option<Watch>,
}

struct Watch {
    heard: Arc<Heard>,
    // Held, because a subscription ends when it is dropped.
    _subscriptions: [Arc<Subscription>; 2],
}

/// A vault in memory, which a scenario may empty.
#[derive(Default)]
struct MemoryVault(Mutex<HashMap<String, Vec<u8>>>);

impl KeyVault for MemoryVault {
    fn load(&self, name: String) -> Result<Option<Vec<u8>>, VaultError> {
        Ok(self.0.lock().unwrap().get(&name).cloned())
    }

    fn save(&self, name: String, secret: Vec<u8>) -> Result<(), VaultError> {
        self.0.lock().unwrap().insert(name, secret);
        Ok(())
    }

    fn remove(&self, name: String) -> Result<(), VaultError> {
        self.0.lock().unwrap().remove(&name);
        Ok(())
    }
}

/// The words that the listeners of a phone have heard.
#[derive(Default)]
struct Heard {
    told: Mutex<HashSet<String>>,
    more: Condvar,
}

impl Heard {
    fn note(&self, words: impl IntoIterator<Item = String>) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.extend(words);
        self.more.notify_all();
    }

    /// Waits for one of the words; returns whether it came.
    fn wait(&self, words: &[&str]) -> bool {
        let told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let missing = |told: &mut HashSet<String>| !words.iter().any(|word| told.contains(*word));
        let waited = self.more.wait_timeout_while(told, HEARD_WAIT, missing);
        let mut told = waited.unwrap_or_else(PoisonError::into_inner).0;
        !missing(&mut told)
    }
}

struct Listener(Arc<Heard>);

impl ChangeListener for Listener {
    fn changed(&self, changes: t::RecordChanges) -> Result<(), ListenerError> {
        let all = changes.all.then(|| "all".to_owned());
        self.0.note(changes.records.into_iter().chain(all));
        Ok(())
    }
}

impl StatusListener for Listener {
    fn status(&self, status: t::SyncStatus) -> Result<(), ListenerError> {
        self.0.note([snake(&status.state)]);
        Ok(())
    }
}

impl Default for FfiSdk {
    fn default() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            devices: HashMap::new(),
            phones: HashMap::new(),
        }
    }
}

impl Sdk for FfiSdk {
    fn unpack(&mut self, name: &str) {
        let folder = self.folder.path().join(name);
        let vault = Arc::new(MemoryVault::default());
        let config = t::DeviceConfig {
            folder: folder.display().to_string(),
            tls_roots_pem: None,
            plain_http_allowed: false,
        };
        let device = open_device(config, Arc::clone(&vault) as Arc<dyn KeyVault>).unwrap();
        let unpacked = Unpacked {
            device,
            vault,
            folder,
        };
        self.devices.insert(name.to_owned(), unpacked);
    }

    fn call(&mut self, call: &Call<'_>) -> Result<Value, String> {
        let with = Arguments(&call.with);
        let answer = match self.device_call(call, &with) {
            Some(answer) => answer,
            None => self.phone_call(call, &with),
        };
        answer.map_err(|error| error.code().to_owned())
    }
}

impl FfiSdk {
    /// Makes the call of a device; `None` for the verb of a phone.
    fn device_call(&mut self, call: &Call<'_>, with: &Arguments<'_>) -> Option<Answer<Value>> {
        let found = self.devices.get(call.who);
        let of = || found.unwrap_or_else(|| panic!("no device {}", call.who));
        let device = || &of().device;
        let opened = match call.verb {
            "open" => device().open_single(),
            "open_account" => device().open_account(with.text("slot"), with.maybe("pin")),
            "start_over" => device().start_over(with.text("slot"), with.maybe("pin")),
            "accounts" => {
                let shown = |account: t::Account| {
                    let t::Account {
                        slot,
                        name,
                        has_pin,
                    } = account;
                    json!({ "slot": slot, "name": name, "has_pin": has_pin })
                };
                let listed = device().accounts();
                return Some(listed.map(|all| all.into_iter().map(shown).collect()));
            }
            "add_account" => {
                let added = device().add_account(with.text("name"), with.maybe("pin"));
                return Some(added.map(|account| account.slot.into()));
            }
            "change_pin" => {
                let (old, new) = (with.maybe("old"), with.maybe("new"));
                let changed = device().change_pin(with.text("slot"), old, new);
                return Some(changed.map(|()| Value::Null));
            }
            "wipe_account" => {
                let discard = with.flag("discard_undelivered").unwrap_or_default();
                let wiped = device().wipe_account(with.text("slot"), with.maybe("pin"), discard);
                return Some(wiped.map(|()| Value::Null));
            }
            "lose_key" => {
                of().vault.0.lock().unwrap().clear();
                return Some(Ok(Value::Null));
            }
            "folder" => return Some(Ok(of().folder.display().to_string().into())),
            _ => return None,
        };
        Some(opened.map(|opened| {
            let held = Held {
                phone: opened.phone,
                syncing: None,
                listener: None,
                accepting: None,
                watch: None,
            };
            self.phones.insert(call.phone.to_owned(), held);
            snake(&opened.way_back.kind).into()
        }))
    }

    fn phone_call(&mut self, call: &Call<'_>, with: &Arguments<'_>) -> Answer<Value> {
        let found = self.phones.get_mut(call.who);
        let held = found.unwrap_or_else(|| panic!("no phone {}", call.who));
        match call.verb {
            "start_sync" => {
                let phone = Arc::clone(&held.phone);
                let budget = t::SyncBudget::default();
                held.syncing = Some(std::thread::spawn(move || phone.sync_once(budget)));
                Ok(Value::Null)
            }
            "join_sync" => {
                let syncing = held.syncing.take().expect("start_sync comes before");
                syncing.join().unwrap().map(|report| synced(&report))
            }
            "listen" => {
                let listener = held.phone.listen_for_meeting("127.0.0.1".to_owned())?;
                let code = listener.code(None, Vec::new())?;
                held.listener = Some(listener);
                Ok(code.into())
            }
            "start_accept" => {
                let phone = Arc::clone(&held.phone);
                let listener = held.listener.clone().expect("listen comes before");
                held.accepting = Some(std::thread::spawn(move || phone.accept_meeting(listener)));
                Ok(Value::Null)
            }
            "join_accept" => {
                let accepting = held.accepting.take().expect("start_accept comes before");
                accepting.join().unwrap().map(|report| met(&report))
            }
            "watch" => {
                held.watch = Some(Watch::of(&held.phone)?);
                Ok(Value::Null)
            }
            "wait_change" => Ok(held.heard(&[&with.text("record"), "all"])),
            "wait_state" => Ok(held.heard(&[&with.text("state")])),
            _ => phone_verb(&held.phone, call.verb, with),
        }
    }
}

impl Watch {
    fn of(phone: &Phone) -> Answer<Self> {
        let heard = Arc::new(Heard::default());
        let changes = phone.subscribe_changes(Arc::new(Listener(Arc::clone(&heard))))?;
        let status = phone.subscribe_status(Arc::new(Listener(Arc::clone(&heard))))?;
        Ok(Self {
            heard,
            _subscriptions: [changes, status],
        })
    }
}

impl Held {
    fn heard(&self, words: &[&str]) -> Value {
        let watch = self.watch.as_ref().expect("watch comes before");
        assert!(watch.heard.wait(words), "nothing was heard of {words:?}");
        Value::Null
    }
}

#[expect(clippy::too_many_lines, reason = "one arm for each verb")]
fn phone_verb(phone: &Phone, verb: &str, with: &Arguments<'_>) -> Answer<Value> {
    let record = || with.text("record");
    let none = |(): ()| Value::Null;
    match verb {
        "enrol" => {
            let device = "a phone of tests".to_owned();
            let me = phone.enrol(with.text("invitation"), with.maybe("server"), device)?;
            Ok(shown_me(&me))
        }
        "me" => Ok(shown_me(&phone.me()?)),
        "act_as" => act_as(phone, with).map(none),
        "locate" => {
            let found = phone.locate(with.position("position").expect("a position"))?;
            Ok(json!({
                "grid": found.grid.map(|grid| grid.zh),
                "candidates": found.candidates.len(),
                "needs_confirmation": found.needs_confirmation,
            }))
        }
        "report" => phone.report(with.draft()).map(Value::from),
        "edit" => phone.edit(record(), with.changes()).map(Value::from),
        "comment" => {
            let (text, mentions) = (with.text("text"), with.texts("mentions"));
            let attachments = with.texts("attachments");
            let written = phone.comment(record(), text, mentions, attachments);
            written.map(Value::from)
        }
        "opened" => phone.opened(record()).map(Value::from),
        "moves" => Ok(shown_moves(&phone.moves(record())?)),
        "act" => act(phone, with).map(Value::from),
        "settle" => {
            let value = field_value(&with.0["value"]);
            let settled = phone.settle(record(), with.text("field"), value);
            settled.map(Value::from)
        }
        "undo_settle" => {
            let undone = phone.undo_settle(record(), with.text("envelope"));
            undone.map(Value::from)
        }
        "templates" => Ok(shown_templates(&phone.templates()?)),
        "template_items" => {
            let version = with.number("version");
            let version = version.map(|version| u32::try_from(version).expect("a version"));
            let items = phone.template_items(with.text("template"), version)?;
            Ok(items.into_iter().map(|item| item.id).collect())
        }
        "plan_form" => {
            let made = phone.plan_form(with.form_draft())?;
            Ok(json!({ "form": made.form, "subject": made.subject, "note": made.note }))
        }
        "form" => Ok(shown_form(&phone.form(record())?)),
        "answer" => phone.answer(record(), with.answers()).map(Value::from),
        "add_row" => phone
            .add_row(record(), with.text("repeat_id"))
            .map(Value::from),
        "remove_row" => {
            let removed = phone.remove_row(record(), with.text("repeat_id"), with.text("row"));
            removed.map(Value::from)
        }
        "write_note" => {
            let written = phone.write_note(record(), with.text("text"), with.texts("named"));
            written.map(Value::from)
        }
        "report_finding" => {
            let found = phone.report_finding(record(), with.finding());
            found.map(Value::from)
        }
        "linked" => Ok(shown_linked(&phone.linked(record())?)),
        "due_forms" => forms(|page| phone.due_forms(with.due_query(), page, ROWS)),
        "planned_forms" => {
            let (from_ms, until_ms) = with.span();
            let member = with.maybe("member");
            forms(|page| phone.planned_forms(from_ms, until_ms, member.clone(), page, ROWS))
        }
        "forms_about" => forms(|page| phone.forms_about(record(), page, ROWS)),
        "form_counts" => {
            let (from_ms, until_ms) = with.span();
            let counts = phone.form_counts(from_ms, until_ms)?.into_iter();
            Ok(counts.map(|one| shown_counts(&one)).collect())
        }
        "record" => match phone.record(record()) {
            Ok(detail) => Ok(shown_record(&detail)),
            Err(error) if error.code() == "replica.no_record" => Ok(json!({ "known": false })),
            Err(error) => Err(error),
        },
        "timeline" => timeline(phone, &record()),
        "list" => titles(|page| phone.list(with.query(), page, ROWS)),
        "search" => titles(|page| phone.search(with.text("text"), page, ROWS)),
        "count" => phone.count(with.query()).map(Value::from),
        "undelivered" => phone.undelivered().map(Value::from),
        "tally" => {
            let tally = phone.tally(None, None)?;
            Ok(json!({
                "recorded": tally.recorded,
                "counted": tally.counted,
                "waiting": tally.waiting,
                "held": tally.held,
            }))
        }
        "notices" => Ok(phone.notices()?.into_iter().map(|one| one.code).collect()),
        "notifications" => {
            let all = phone.notifications(0, ROWS)?;
            Ok(all.into_iter().map(|one| one.code).collect())
        }
        "unit" => {
            let found = phone.units(with.text("name"), None, None, ROWS)?.units;
            assert_eq!(found.len(), 1, "{found:?}");
            Ok(found[0].id.clone().into())
        }
        "person" => {
            let found = phone.people(with.text("name"), None, ROWS)?.people;
            assert_eq!(found.len(), 1, "{found:?}");
            Ok(found[0].member.clone().into())
        }
        "sync" => Ok(synced(&phone.sync_once(t::SyncBudget::default())?)),
        "plan" => phone.plan().map(|plan| planned(&plan)),
        "sync_until_equal" => sync_until_equal(phone, with.number("tries").unwrap_or(1)),
        "meet" => phone.meet(with.text("code")).map(|report| met(&report)),
        "parcel_counts" => Ok(shown_parcels(&phone.parcel_counts()?)),
        "meeting_request" => phone.meeting_request().map(Value::from),
        "meeting_request_file" => phone.meeting_request_file().map(|file| hex(&file)),
        "make_bundle" => {
            let request = match with.maybe("code") {
                Some(code) => code.into_bytes(),
                None => with.bytes("file"),
            };
            let made = phone.make_bundle(request)?;
            Ok(json!({
                "file": hex(&made.file),
                "member": made.member,
                "given": made.given,
                "more": made.more,
            }))
        }
        "import_bundle" => {
            let imported = phone.import_bundle(with.bytes("file"));
            imported.map(|report| met(&report))
        }
        "cancel" => phone.cancel().map(none),
        "suspend" => phone.suspend().map(none),
        "resume" => phone.resume().map(none),
        "shut" => phone.shut().map(none),
        "live_start" => phone.live_start().map(none),
        "live_stop" => phone.live_stop().map(none),
        "status" => {
            let status = phone.status()?;
            Ok(json!({
                "state": snake(&status.state),
                "reason": code(status.reason.as_ref()),
                "pending": status.pending,
                "files_left": status.files_left,
                "bytes_left": status.bytes_left,
            }))
        }
        other => attachment_verb(phone, other, with)
            .or_else(|| walk_verb(phone, other, with))
            .unwrap_or_else(|| panic!("no verb is called {other}")),
    }
}

fn act_as(phone: &Phone, with: &Arguments<'_>) -> Answer<()> {
    let wanted = with.maybe("role");
    let roles = phone.me()?.roles;
    let found = wanted.map(|wanted| {
        let found = roles.iter().find(|grant| grant.role.code == wanted);
        found.map_or(wanted, |grant| grant.id.clone())
    });
    phone.act_as(found)
}

/// Makes a move as an app does, on the assignment that `moves` names.
fn act(phone: &Phone, with: &Arguments<'_>) -> Answer<String> {
    let (record, mut input) = (with.text("record"), with.move_input());
    if input.assignment.is_none() {
        let mut options = phone.moves(record.clone())?;
        options.retain(|option| option.movement.code == input.movement);
        let allowed = options.iter().find(|option| option.allowed);
        let option = allowed.or(options.first());
        input.assignment = option.and_then(|option| option.assignment.clone());
    }
    phone.act(record, input)
}

fn sync_until_equal(phone: &Phone, tries: i64) -> Answer<Value> {
    for left in (0..tries).rev() {
        match phone.sync_once(t::SyncBudget::default()) {
            Ok(report) if report.equal || left == 0 => return Ok(synced(&report)),
            Err(error @ OneGridError::Network { .. }) if left == 0 => return Err(error),
            Ok(_) | Err(OneGridError::Network { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    panic!("it may try at least once")
}

/// Returns the titles of all pages.
fn titles(page: impl Fn(Option<String>) -> Answer<t::RecordPage>) -> Answer<Value> {
    let (mut titles, mut next) = (Vec::new(), None);
    loop {
        let found = page(next)?;
        titles.extend(found.rows.into_iter().map(|row| row.title));
        next = found.next;
        if next.is_none() {
            return Ok(titles.into());
        }
    }
}

/// Returns the checklists of all pages.
fn forms(page: impl Fn(Option<String>) -> Answer<t::FormPage>) -> Answer<Value> {
    let (mut rows, mut next) = (Vec::new(), None);
    loop {
        let found = page(next)?;
        rows.extend(found.rows.iter().map(shown_form_row));
        next = found.next;
        if next.is_none() {
            return Ok(rows.into());
        }
    }
}

fn timeline(phone: &Phone, record: &str) -> Answer<Value> {
    let (mut moves, mut next) = (Vec::new(), None);
    loop {
        let found = phone.timeline(record.to_owned(), next, ROWS)?;
        moves.extend(found.items.into_iter().filter_map(|item| item.movement));
        next = found.next;
        if next.is_none() {
            return Ok(moves.into());
        }
    }
}
