//! The verbs of scenarios as calls of `onegrid-ffi`, in the way of an app.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panic")]

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
use serde_json::{Map, Value, json};
use tempfile::TempDir;

use super::{Call, Sdk};

/// Rows of a page: few, so the scenarios need several pages.
const ROWS: u32 = 5;
/// Bytes of a read of a photo: few, so the scenarios need several reads.
const PIECE_BYTES: u32 = 500;
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
        other => match attachment_verb(phone, other, with) {
            Some(answer) => answer,
            None => panic!("no verb is called {other}"),
        },
    }
}

/// Makes a call about photos and recordings; `None` for another verb.
fn attachment_verb(phone: &Phone, verb: &str, with: &Arguments<'_>) -> Option<Answer<Value>> {
    let (record, id) = (|| with.text("record"), || with.text("id"));
    let none = |(): ()| Value::Null;
    Some(match verb {
        "add_attachment" => {
            let bytes = std::fs::read(with.text("file")).expect("a photo of the scenarios");
            phone.add_attachment(bytes).map(|added| added.id.into())
        }
        "staged_attachments" => phone
            .staged_attachments()
            .map(|all| all.into_iter().map(|one| one.id).collect()),
        "remove_staged" => phone.remove_staged(id()).map(none),
        "attach" => phone.attach(record(), id()).map(none),
        "attachment" => phone
            .attachment(with.maybe("record"), id())
            .map(|one| shown_attachment(&one)),
        "attachments" => phone
            .attachments(record())
            .map(|all| all.into_iter().map(|one| one.id).collect()),
        "thumbnail" => phone
            .thumbnail(with.maybe("record"), id())
            .map(|bytes| bytes.map(|bytes| bytes.len()).into()),
        "read_attachment" => {
            read_attachment(phone, with.maybe("record").as_ref(), &id()).map(Value::from)
        }
        "want_attachment" => phone.want_attachment(record(), id()).map(none),
        "refused_attachments" => phone
            .refused_attachments()
            .map(|all| all.into_iter().map(|one| one.id).collect()),
        "send_again" => phone.send_again(record(), id()).map(none),
        "remove_void_attachment" => phone.remove_void_attachment(record(), id()).map(none),
        "set_files_policy" => {
            let policy = match with.text("policy").as_str() {
                "every_sync" => t::FilesPolicy::EverySync,
                "on_request" => t::FilesPolicy::OnRequest,
                other => panic!("policy is every_sync or on_request, not {other}"),
            };
            phone.set_files_policy(policy).map(none)
        }
        "set_low_storage" => {
            let low = with.flag("low").expect("true or false");
            phone.set_low_storage(low).map(none)
        }
        "free_space" => {
            let bytes = with.number("bytes").expect("bytes");
            let bytes = u64::try_from(bytes).expect("not below 0");
            phone.free_space(bytes).map(Value::from)
        }
        "sync_files" => phone
            .sync_files(t::SyncBudget::default())
            .map(|report| synced(&report)),
        _ => return None,
    })
}

/// Reads a file in small pieces; its bytes in hexadecimal digits.
fn read_attachment(phone: &Phone, record: Option<&String>, id: &str) -> Answer<String> {
    let mut hex = String::new();
    let mut offset = 0;
    loop {
        let piece = phone.read_attachment(record.cloned(), id.to_owned(), offset, PIECE_BYTES)?;
        if piece.is_empty() {
            return Ok(hex);
        }
        offset += piece.len() as u64;
        hex.extend(piece.iter().map(|byte| format!("{byte:02x}")));
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
        let options = phone.moves(record.clone())?;
        let option = options
            .into_iter()
            .find(|option| option.movement.code == input.movement);
        input.assignment = option.and_then(|option| option.assignment);
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

fn shown_me(me: &t::Me) -> Value {
    let roles = me.roles.iter().map(|grant| grant.role.code.as_str());
    json!({
        "enrolled": me.enrolled,
        "member": me.member,
        "device": me.device,
        "name": me.zh,
        "roles": roles.collect::<Vec<_>>(),
        "server": me.server,
    })
}

fn shown_moves(options: &[t::MoveOption]) -> Value {
    let mut moves = Map::new();
    for option in options {
        let code = option.movement.code.clone();
        let why = code_of(option.why.as_ref());
        match moves.get(&code) {
            _ if option.allowed => drop(moves.insert(code, true.into())),
            Some(_) => {}
            None => drop(moves.insert(code, why)),
        }
    }
    moves.into()
}

fn shown_record(detail: &t::RecordDetail) -> Value {
    let row = &detail.row;
    let description = detail
        .fields
        .iter()
        .find_map(|field| match (&*field.field, &field.value) {
            ("description", t::FieldValue::Text { text }) => Some(text),
            _ => None,
        });
    let by_moves = detail.conflicts.iter().filter(|card| card.field.is_none());
    let card = |card: &t::ConflictCard| card.field.clone().unwrap_or("moves".to_owned());
    let list = |items: Vec<String>| Value::from(items);
    json!({
        "known": true,
        "kind": row.kind.code,
        "stage": row.stage.code,
        "category": code(row.category.as_ref()),
        "severity": code(row.severity.as_ref()),
        "open": row.open,
        "title": row.title,
        "address": row.address,
        "mine": row.mine,
        "undelivered": row.undelivered,
        "provisional": row.provisional,
        "conflicts": row.conflicts,
        "needs_review": row.needs_review,
        "overdue": row.overdue,
        "receipt": snake(&row.receipt),
        "description": description,
        "reporter": detail.reporter.as_ref().map(|person| &person.member),
        "assignments": list(detail.assignments.iter().map(|one| one.state.code.clone()).collect()),
        "cards": list(detail.conflicts.iter().map(card).collect()),
        "card_words": list(detail.conflicts.iter().map(|card| card.zh.clone()).collect()),
        "card_people": by_moves.map(|card| card.people.len()).sum::<usize>(),
        "comments": list(detail.comments.iter().map(|one| one.text.clone()).collect()),
        "comment_files": list(detail.comments.iter().flat_map(|one| one.attachments.clone()).collect()),
        "set_aside": list(detail.set_aside.iter().map(|one| one.why.code.clone()).collect()),
        "merged_into": detail.merged_into,
        "linked": detail.linked,
        "supervised": detail.supervised,
        "suspended": detail.suspended,
    })
}

fn shown_attachment(one: &t::AttachmentInfo) -> Value {
    json!({
        "id": one.id,
        "record": one.record,
        "media": one.media.code,
        "media_type": one.media_type,
        "size": one.size,
        "width": one.width,
        "height": one.height,
        "duration_ms": one.duration_ms,
        "state": snake(&one.state),
        "confirmed": one.confirmed,
        "delivered": one.delivered_ms.is_some(),
        "refusal": code(one.refusal.as_ref()),
        "has_thumbnail": one.has_thumbnail,
    })
}

fn shown_templates(templates: &[t::FormTemplate]) -> Value {
    let shown = |one: &t::FormTemplate| {
        json!({
            "id": one.id,
            "version": one.version,
            "newer_version": one.newer_version,
            "title": one.zh,
            "usable": one.usable,
            "restricted_place": one.restricted_place,
        })
    };
    templates.iter().map(shown).collect()
}

fn shown_form(form: &t::FormDetail) -> Value {
    let mut rows: Vec<&String> = Vec::new();
    for row in form.items.iter().filter_map(|item| item.row.as_ref()) {
        if !rows.contains(&row) {
            rows.push(row);
        }
    }
    let key = |item: &t::FormItem| match &item.row {
        None => item.item.id.clone(),
        Some(row) => {
            let number = rows.iter().position(|one| *one == row).unwrap_or_default();
            format!("{}/{}", item.item.id, number + 1)
        }
    };
    let shown = form.items.iter().filter(|item| item.relevant);
    let answers = form.items.iter().filter(|item| item.answer.is_some());
    let answers = answers.map(|item| (key(item), Value::from(item.zh_answer.clone())));
    let problems = form.items.iter().filter_map(|item| {
        let problem = item.problem.as_ref()?;
        Some((key(item), Value::from(problem.code.clone())))
    });
    json!({
        "template": form.template,
        "version": form.version,
        "read_only": code(form.read_only.as_ref()),
        "shown": shown.map(key).collect::<Vec<_>>(),
        "answers": answers.collect::<Map<_, _>>(),
        "problems": problems.collect::<Map<_, _>>(),
        "stored": form.stored.iter().map(|one| one.key.clone()).collect::<Vec<_>>(),
        "answered": form.answered,
        "required": form.required,
        "complete": form.complete,
        "standing": form.standing.as_ref().map(snake),
        "next_due": form.next_due_ms.is_some(),
        "subject": form.subject.as_ref().map(|row| &row.title),
        "linked": shown_linked(&form.linked),
    })
}

fn shown_linked(linked: &[t::LinkedRecord]) -> Value {
    let shown = |one: &t::LinkedRecord| {
        json!({
            "link": snake(&one.link),
            "direction": snake(&one.direction),
            "record": one.row.id,
            "kind": one.row.kind.code,
            "stage": one.row.stage.code,
        })
    };
    linked.iter().map(shown).collect()
}

fn shown_form_row(row: &t::FormRow) -> Value {
    json!({
        "record": row.row.id,
        "title": row.title,
        "version": row.version,
        "standing": snake(&row.standing),
        "complete": row.complete,
        "due": row.due_ms.is_some(),
        "distance_m": row.distance_m,
    })
}

fn shown_counts(counts: &t::FormCounts) -> Value {
    json!({
        "name": counts.zh,
        "planned": counts.planned,
        "begun": counts.begun,
        "done": counts.done,
        "in_vain": counts.in_vain,
        "called_off": counts.called_off,
    })
}

fn synced(report: &t::SyncReport) -> Value {
    json!({
        "equal": report.equal,
        "more": report.more,
        "pushed": report.pushed,
        "pulled": report.pulled,
        "round_trips": report.round_trips,
        "closed": code(report.closed.as_ref()),
    })
}

fn planned(plan: &t::SyncPlan) -> Value {
    json!({
        "records": plan.records.count,
        "open": plan.open.count,
        "bytes": plan.records.bytes,
        "open_bytes": plan.open.bytes,
        "has_minutes": plan.records.minutes.is_some(),
        "changes": plan.changes,
        "uploads": plan.uploads,
        "photos": plan.photos.count,
        "photo_bytes": plan.photos.bytes,
        "photos_wanted": plan.photos_wanted.count,
        "photos_to_send": plan.photos_to_send.count,
        "at_least": plan.at_least,
    })
}

fn met(report: &t::MeetingReport) -> Value {
    json!({
        "member": report.member,
        "given": report.given,
        "taken": report.taken,
        "parcel_given": report.parcel_given,
        "parcel_taken": report.parcel_taken,
    })
}

fn shown_parcels(parcels: &t::ParcelCounts) -> Value {
    json!({
        "carried": parcels.carried,
        "waits": parcels.oldest_ms.is_some(),
        "taken": parcels.taken,
        "refused": parcels.refused,
        "dropped": parcels.dropped,
    })
}

fn hex(bytes: &[u8]) -> Value {
    crate::killed::life::hex(bytes).into()
}

fn code(word: Option<&t::Word>) -> Option<&str> {
    word.map(|word| word.code.as_str())
}

fn code_of(word: Option<&t::Word>) -> Value {
    code(word).into()
}

/// Returns the name of a variant in the spelling of scenarios.
fn snake(variant: &impl std::fmt::Debug) -> String {
    let mut snake = String::new();
    for letter in format!("{variant:?}").chars() {
        if letter.is_uppercase() && !snake.is_empty() {
            snake.push('_');
        }
        snake.extend(letter.to_lowercase());
    }
    snake
}

/// The arguments of a call. A wrong argument is a mistake of the scenario.
struct Arguments<'a>(&'a Map<String, Value>);

impl Arguments<'_> {
    fn value(&self, name: &str) -> Option<&Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    fn maybe(&self, name: &str) -> Option<String> {
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        self.value(name).map(text)
    }

    fn text(&self, name: &str) -> String {
        self.maybe(name)
            .unwrap_or_else(|| panic!("the argument {name} is missing"))
    }

    /// Returns bytes that are written as hex digits.
    fn bytes(&self, name: &str) -> Vec<u8> {
        let text = self.text(name);
        let pairs = (0..text.len() / 2).map(|at| &text[2 * at..2 * at + 2]);
        pairs
            .map(|pair| u8::from_str_radix(pair, 16).expect("hex digits"))
            .collect()
    }

    fn texts(&self, name: &str) -> Vec<String> {
        let items = self.value(name).and_then(Value::as_array);
        let items = items.into_iter().flatten();
        items
            .map(|item| item.as_str().expect("a text").to_owned())
            .collect()
    }

    fn number(&self, name: &str) -> Option<i64> {
        self.value(name)
            .map(|value| value.as_i64().expect("a whole number"))
    }

    fn flag(&self, name: &str) -> Option<bool> {
        self.value(name)
            .map(|value| value.as_bool().expect("true or false"))
    }

    fn position(&self, name: &str) -> Option<t::GeoPosition> {
        self.value(name).map(position)
    }

    fn fields(&self) -> impl Iterator<Item = (&String, &Value)> {
        let fields = self.value("fields").and_then(Value::as_object);
        fields.into_iter().flatten()
    }

    fn draft(&self) -> t::ReportDraft {
        t::ReportDraft {
            kind: self.text("kind"),
            fields: self.field_inputs(),
            position: self.position("position"),
            area: self.maybe("area"),
            restricted: self.flag("restricted").unwrap_or_default(),
            team: self.maybe("team"),
            named: self.texts("named"),
            linked: self.maybe("linked"),
            attachments: self.texts("attachments"),
        }
    }

    fn field_inputs(&self) -> Vec<t::FieldInput> {
        let input = |(field, value): (&String, &Value)| t::FieldInput {
            field: field.clone(),
            value: field_value(value),
        };
        self.fields().map(input).collect()
    }

    fn form_draft(&self) -> t::FormDraft {
        t::FormDraft {
            kind: self.text("kind"),
            template: self.text("template"),
            subject: self.maybe("subject"),
            title: self.maybe("title"),
            address: self.maybe("address"),
            position: self.position("position"),
            area: self.maybe("area"),
            planned_ms: self.number("planned_ms"),
            companions: self.texts("companions"),
            companion_names: self.maybe("companion_names"),
            restricted: self.flag("restricted").unwrap_or_default(),
            team: self.maybe("team"),
            linked: self.maybe("linked"),
            note: self.maybe("note"),
        }
    }

    fn answers(&self) -> Vec<t::AnswerChange> {
        let answers = self.value("answers").and_then(Value::as_object);
        let answers = answers.into_iter().flatten();
        let change = |(question, value): (&String, &Value)| t::AnswerChange {
            question: question.clone(),
            row: self.maybe("row"),
            value: (!value.is_null()).then(|| field_value(value)),
        };
        answers.map(change).collect()
    }

    fn finding(&self) -> t::FindingDraft {
        t::FindingDraft {
            kind: self.text("kind"),
            question: self.maybe("question"),
            row: self.maybe("row"),
            fields: self.field_inputs(),
            restricted: self.flag("restricted").unwrap_or_default(),
            team: self.maybe("team"),
            language: t::Language::Zh,
        }
    }

    fn due_query(&self) -> t::DueQuery {
        let near = self.value("near").and_then(Value::as_object).map(|near| {
            let near = Arguments(near);
            let radius_m = near.number("radius_m").expect("a radius");
            t::Near {
                position: near.position("position").expect("a position"),
                radius_m: u32::try_from(radius_m).expect("metres"),
            }
        });
        t::DueQuery {
            before_ms: self.number("before_ms"),
            overdue: self.flag("overdue").unwrap_or_default(),
            near,
            in_my_areas: self.flag("in_my_areas").unwrap_or_default(),
            area: self.maybe("area"),
            template: self.maybe("template"),
        }
    }

    /// Returns the period between two times; without them all time.
    fn span(&self) -> (i64, i64) {
        let (from, until) = (self.number("from_ms"), self.number("until_ms"));
        (from.unwrap_or(i64::MIN), until.unwrap_or(i64::MAX))
    }

    fn changes(&self) -> Vec<t::FieldChange> {
        self.fields()
            .map(|(field, value)| t::FieldChange {
                field: field.clone(),
                value: (!value.is_null()).then(|| field_value(value)),
            })
            .collect()
    }

    fn query(&self) -> t::Query {
        t::Query {
            kinds: self.texts("kinds"),
            stages: self.texts("stages"),
            open: self.flag("open"),
            category: self.maybe("category"),
            area: self.maybe("area"),
            mine: self.flag("mine").unwrap_or_default(),
            assigned: self.maybe("assigned").map(|whose| match whose.as_str() {
                "me" => t::AssignedTo::Me,
                "my_units" => t::AssignedTo::MyUnits,
                other => panic!("assigned is me or my_units, not {other}"),
            }),
            undelivered: self.flag("undelivered").unwrap_or_default(),
            in_conflict: self.flag("in_conflict").unwrap_or_default(),
            due_before_ms: self.number("due_before_ms"),
            overdue: self.flag("overdue").unwrap_or_default(),
            ..t::Query::default()
        }
    }

    fn move_input(&self) -> t::MoveInput {
        t::MoveInput {
            movement: self.text("movement"),
            assignment: self.maybe("assignment"),
            text: self.maybe("text"),
            to_unit: self.maybe("to_unit"),
            to_member: self.maybe("to_member"),
            to_area: self.maybe("to_area"),
            part: self.maybe("part"),
            accept_by_ms: self.number("accept_by_ms"),
            arrive_by_ms: self.number("arrive_by_ms"),
            resolve_by_ms: self.number("resolve_by_ms"),
            into: self.maybe("into"),
            request: self.maybe("request"),
            satisfied: self.flag("satisfied"),
            until_ms: self.number("until_ms"),
            category: self.maybe("category"),
            severity: self
                .number("severity")
                .map(|severity| u8::try_from(severity).expect("1 to 4")),
            grid: self.maybe("grid"),
            attachments: self.texts("attachments"),
            mentions: self.texts("mentions"),
            before: self.texts("before"),
            after: self.texts("after"),
            behalf_reason: self.maybe("behalf_reason"),
            reason: self.maybe("reason"),
        }
    }
}

fn position(value: &Value) -> t::GeoPosition {
    t::GeoPosition {
        lat: value["lat"].as_f64().expect("a latitude"),
        lon: value["lon"].as_f64().expect("a longitude"),
        datum: t::Datum::Wgs84,
        accuracy_m: value["accuracy_m"]
            .as_u64()
            .and_then(|metres| u32::try_from(metres).ok()),
        fix_age_ms: 0,
    }
}

fn field_value(value: &Value) -> t::FieldValue {
    match value {
        Value::String(text) => t::FieldValue::Text { text: text.clone() },
        Value::Bool(flag) => t::FieldValue::Flag { flag: *flag },
        Value::Object(_) => t::FieldValue::Position {
            position: position(value),
        },
        other => t::FieldValue::Number {
            number: other.as_i64().expect("a text, a number, or true or false"),
        },
    }
}
