"""Plays a scenario with real phones against a real server: `python scenario.py ../../scenarios/gas_cylinders.json`.

The files are shared by all bindings; `../scenarios/README.md` says what each step means.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from testbed import RefusedError, Testbed
from walk_verbs import WALK_VERBS

import onegrid
from onegrid import (
    AssignedTo,
    Device,
    DueQuery,
    FilesPolicy,
    KeyVault,
    Language,
    MeetingListener,
    MeetingReport,
    NetworkError,
    NotFoundError,
    OneGridError,
    Order,
    Phone,
    Position,
    Query,
    SyncPlan,
    SyncReport,
)

T = TypeVar("T")

WAIT_S = 120
ROWS = 5
PIECE_BYTES = 500


class Forgetful(KeyVault):
    """A vault in memory that can lose everything."""

    def __init__(self) -> None:
        self.secrets: dict[str, bytes] = {}

    def load(self, name: str) -> bytes | None:
        return self.secrets.get(name)

    def save(self, name: str, secret: bytes) -> None:
        self.secrets[name] = secret

    def remove(self, name: str) -> None:
        self.secrets.pop(name, None)


class StepError(AssertionError):
    """A step does not do what it says."""


class Heard:
    """Everything that listeners of one phone have heard."""

    def __init__(self, phone: Phone) -> None:
        self._news = threading.Condition()
        self._records: set[str] = set()
        self._all = False
        self._states: set[str] = set()
        self._subscriptions = (phone.on_changes(self._changed), phone.on_status(self._status))

    def _changed(self, changes: onegrid.RecordChanges) -> None:
        with self._news:
            self._records.update(changes.records)
            self._all |= changes.all
            self._news.notify_all()

    def _status(self, status: onegrid.SyncStatus) -> None:
        with self._news:
            self._states.add(snake(status.state))
            self._news.notify_all()

    def wait_change(self, record: str) -> None:
        """Waits until the record, or all, changed."""
        self._wait(lambda: self._all or record in self._records, f"no change of {record}")

    def wait_state(self, state: str) -> None:
        """Waits until the connection was in a state."""
        self._wait(lambda: state in self._states, f"never {state}")

    def _wait(self, heard: Callable[[], bool], otherwise: str) -> None:
        with self._news:
            if not self._news.wait_for(heard, WAIT_S):
                raise StepError(f"{otherwise} within {WAIT_S} s, only {self._states}")


class Player:
    """One scenario with its own server, devices and phones."""

    def __init__(self, say: Callable[[str], None] = lambda sentence: None) -> None:
        self._say = say
        self._folder = Path(tempfile.mkdtemp(prefix="onegrid-scenario-"))
        self._testbed = Testbed()
        self._devices: dict[str, Device] = {}
        self._vaults: dict[str, Forgetful] = {}
        self._phones: dict[str, Phone] = {}
        self._opened: list[Phone] = []
        self._heard: dict[str, Heard] = {}
        self._syncs: dict[str, Future[SyncReport]] = {}
        self._listeners: dict[str, MeetingListener] = {}
        self._meetings: dict[str, Future[MeetingReport]] = {}
        self._saved: dict[str, Any] = {}
        self._workers = ThreadPoolExecutor()

    def close(self) -> None:
        """Shuts every phone and ends the server."""
        for phone in self._opened:
            phone.shut()
        self._workers.shutdown()
        self._testbed.close()
        shutil.rmtree(self._folder)

    def play(self, scenario: dict[str, Any]) -> None:
        """Plays all steps. Raises `StepError` at the first that does not do what it says."""
        for name in scenario.get("devices", []):
            self._unpack(name)
        for phone in scenario.get("phones", []):
            self._unpack(phone["name"])
            self._device_verb(phone["name"], "open", {}, phone["name"])
            invitation = self._testbed.do("invite", who=phone["who"])
            self._phones[phone["name"]].enrol(invitation["qr"], device_name=phone["name"])
            self._phones[phone["name"]].sync_once()
        for number, step in enumerate(scenario["steps"], 1):
            try:
                self._step(step)
            except (StepError, OneGridError, RefusedError) as error:
                raise StepError(f"{scenario['name']}, step {number}, {step}: {error}") from error

    def _unpack(self, name: str) -> None:
        self._vaults[name] = Forgetful()
        self._devices[name] = Device(self._folder / name, self._vaults[name])

    def _step(self, step: dict[str, Any]) -> None:
        if "say" in step:
            self._say(step["say"])
            return
        arguments = self._resolved(step.get("with", {}))
        names = step.get("as", "")
        for name in names if isinstance(names, list) else [names]:
            try:
                if "testbed" in step:
                    value = self._testbed.do(step["testbed"], **arguments)
                elif name in self._devices and hasattr(self, f"_device_{step['do']}"):
                    value = self._device_verb(
                        name, step["do"], arguments, str(step.get("save_phone", name))
                    )
                else:
                    value = self._phone_verb(name, step["do"], arguments)
            except (OneGridError, RefusedError) as error:
                codes = step.get("error", [])
                if error.code not in (codes if isinstance(codes, list) else [codes]):
                    raise
                continue
            if "error" in step:
                raise StepError(f"{step['error']} expected, but it gave {value!r}")
            if "is" in step:
                expect(value, self._resolved(step["is"]))
            if "save" in step:
                self._saved[step["save"]] = value

    def _resolved(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {key: self._resolved(each) for key, each in value.items()}
        if isinstance(value, list):
            return [self._resolved(each) for each in value]
        if isinstance(value, str) and value.startswith("$"):
            name, *path = value[1:].split(".")
            found = self._saved[name]
            for part in path:
                found = found[int(part)] if isinstance(found, list) else found[part]
            return found
        return value

    # Devices

    def _device_verb(self, name: str, verb: str, arguments: dict[str, Any], phone: str) -> Any:
        value = getattr(self, f"_device_{verb}")(name, **arguments)
        if isinstance(value, Phone):
            self._phones[phone] = value
            self._opened.append(value)
            return snake(value.way_back.kind)
        return value

    def _device_open(self, name: str) -> Phone:
        return self._devices[name].open_single()

    def _device_accounts(self, name: str) -> Any:
        return [
            {"slot": account.slot, "name": account.name, "has_pin": account.has_pin}
            for account in self._devices[name].accounts()
        ]

    def _device_add_account(self, device: str, *, name: str, pin: str | None = None) -> str:
        return self._devices[device].add_account(name, pin).slot

    def _device_open_account(self, name: str, *, slot: str, pin: str | None = None) -> Phone:
        return self._devices[name].open_account(slot, pin)

    def _device_start_over(self, name: str, *, slot: str, pin: str | None = None) -> Phone:
        return self._devices[name].start_over(slot, pin)

    def _device_change_pin(
        self, name: str, *, slot: str, old: str | None = None, new: str | None = None
    ) -> None:
        self._devices[name].change_pin(slot, old, new)

    def _device_wipe_account(
        self, name: str, *, slot: str, pin: str | None = None, discard_undelivered: bool = False
    ) -> None:
        self._devices[name].wipe_account(slot, pin, discard_undelivered=discard_undelivered)

    def _device_lose_key(self, name: str) -> None:
        self._vaults[name].secrets.clear()

    def _device_folder(self, name: str) -> str:
        return str(self._folder / name)

    # Phones

    def _phone_verb(self, name: str, verb: str, arguments: dict[str, Any]) -> Any:
        phone = self._phones[name]
        if verb == "start_sync":
            self._syncs[name] = self._workers.submit(phone.sync_once)
            return None
        if verb == "join_sync":
            return sync_value(self._syncs.pop(name).result(WAIT_S))
        if verb == "listen":
            self._listeners[name] = phone.listen_for_meeting("127.0.0.1")
            return self._listeners[name].code()
        if verb == "start_accept":
            listener = self._listeners[name]
            self._meetings[name] = self._workers.submit(phone.accept_meeting, listener)
            return None
        if verb == "join_accept":
            return meeting_value(self._meetings.pop(name).result(WAIT_S))
        if verb == "watch":
            self._heard[name] = Heard(phone)
            return None
        if verb == "wait_change":
            return self._heard[name].wait_change(arguments["record"])
        if verb == "wait_state":
            return self._heard[name].wait_state(arguments["state"])
        return VERBS[verb](phone, **arguments)


def expect(value: Any, wanted: Any) -> None:
    """Raises `StepError` where a value is not as wanted."""
    if not compares(value, wanted):
        raise StepError(f"{wanted!r} expected, but it gave {value!r}")


def compares(value: Any, wanted: Any) -> bool:
    """Returns whether a value is as wanted."""
    if isinstance(wanted, dict):
        if list(wanted) == ["at_least"]:
            return bool(value >= wanted["at_least"])
        if list(wanted) == ["contains"]:
            part = wanted["contains"]
            if isinstance(value, list):
                return any(compares(each, part) for each in value)
            return isinstance(value, str) and part in value
        return isinstance(value, dict) and all(
            compares(value.get(key), each) for key, each in wanted.items()
        )
    if isinstance(wanted, list):
        return (
            isinstance(value, list)
            and len(value) == len(wanted)
            and all(map(compares, value, wanted))
        )
    # In Python True equals 1.
    return type(value) is type(wanted) and bool(value == wanted)


def snake(value: Any) -> str:
    """Returns the name of an enum's member as the scenarios write it."""
    return str(value.name).lower()


def position(value: dict[str, Any] | None) -> Position | None:
    """Returns a position of a scenario."""
    if value is None:
        return None
    return Position(value["lat"], value["lon"], accuracy_m=value.get("accuracy_m"))


def query(
    assigned: str | None = None,
    near: dict[str, Any] | None = None,
    order: str | None = None,
    due_before_ms: int | None = None,
    **filters: Any,
) -> Query:
    """Returns a query of a scenario."""
    middle = position(near["position"]) if near else None
    return Query(
        assigned=AssignedTo[assigned.upper()] if assigned else None,
        near=onegrid.Near(middle, near["radius_m"]) if near and middle else None,
        order=Order[order.upper()] if order else None,
        due_before=at(due_before_ms),
        **filters,
    )


def at(ms: int | None) -> datetime | None:
    """Returns a time of a scenario."""
    return None if ms is None else datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ms)


def me_value(me: onegrid.Me) -> Any:
    return {
        "enrolled": me.enrolled,
        "member": me.member,
        "device": me.device,
        "name": me.zh,
        "roles": [grant.role.code for grant in me.roles],
        "server": me.server,
    }


def enrol(phone: Phone, invitation: str, server: str | None = None) -> Any:
    return me_value(phone.enrol(invitation, device_name="scenario", server=server))


def act_as(phone: Phone, role: str | None = None) -> None:
    grants = {grant.role.code: grant.id for grant in phone.me().roles}
    phone.act_as(None if role is None else grants.get(role, role))


def locate(phone: Phone, position: dict[str, Any]) -> Any:
    found = phone.locate(Position(**position))
    return {
        "grid": found.grid.zh if found.grid else None,
        "candidates": len(found.candidates),
        "needs_confirmation": found.needs_confirmation,
    }


def report(phone: Phone, **arguments: Any) -> str:
    arguments["position"] = position(arguments.get("position"))
    arguments["named"] = arguments.get("named") or ()
    return phone.report(arguments.pop("kind"), arguments.pop("fields"), **arguments)


def moves(phone: Phone, record: str) -> Any:
    options: dict[str, Any] = {}
    for option in phone.moves(record):
        code = option.movement.code
        if option.allowed:
            options[code] = True
        else:
            options.setdefault(code, option.why.code if option.why else None)
    return options


def act(phone: Phone, record: str, movement: str, **arguments: Any) -> str:
    if "assignment" not in arguments:
        options = [each for each in phone.moves(record) if each.movement.code == movement]
        # An app offers the allowed ones first.
        options.sort(key=lambda option: not option.allowed)
        arguments["assignment"] = options[0].assignment if options else None
    for name in ("accept_by", "arrive_by", "resolve_by", "until"):
        if f"{name}_ms" in arguments:
            arguments[name] = at(arguments.pop(f"{name}_ms"))
    return phone.act(record, movement, **arguments)


def record_value(phone: Phone, record: str) -> Any:
    try:
        detail = phone.record(record)
    except NotFoundError as error:
        if error.code != "replica.no_record":
            raise
        return {"known": False}
    row = detail.row
    fields = {field.field: field.value for field in detail.fields}
    return {
        "known": True,
        "kind": row.kind.code,
        "stage": row.stage.code,
        "category": row.category.code if row.category else None,
        "severity": row.severity.code if row.severity else None,
        "open": row.open,
        "title": row.title,
        "address": row.address,
        "mine": row.mine,
        "undelivered": row.undelivered,
        "provisional": row.provisional,
        "conflicts": row.conflicts,
        "needs_review": row.needs_review,
        "overdue": row.overdue,
        "receipt": snake(row.receipt),
        "description": fields.get("description"),
        "reporter": detail.reporter.member if detail.reporter else None,
        "assignments": [assignment.state.code for assignment in detail.assignments],
        "cards": [card.field or "moves" for card in detail.conflicts],
        "card_words": [card.zh for card in detail.conflicts],
        "card_people": sum(len(card.people) for card in detail.conflicts if not card.field),
        "comments": [comment.text for comment in detail.comments],
        "comment_files": [each for comment in detail.comments for each in comment.attachments],
        "set_aside": [aside.why.code for aside in detail.set_aside],
        "merged_into": detail.merged_into,
        "linked": detail.linked,
        "supervised": detail.supervised,
        "suspended": detail.suspended,
    }


def contents(fields: dict[str, Any] | None) -> dict[str, Any]:
    """Returns the values of fields or answers of a scenario."""
    return {
        name: position(value) if isinstance(value, dict) else value
        for name, value in (fields or {}).items()
    }


def plan_form(phone: Phone, kind: str, template: str, **arguments: Any) -> Any:
    arguments["position"] = position(arguments.get("position"))
    arguments["planned"] = at(arguments.pop("planned_ms", None))
    made = phone.plan_form(kind, template, **arguments)
    return {"form": made.form, "subject": made.subject, "note": made.note}


def report_finding(
    phone: Phone, record: str, kind: str, fields: Any = None, **arguments: Any
) -> str:
    return phone.report_finding(record, kind, Language.ZH, contents(fields), **arguments)


def template_value(template: onegrid.FormTemplate) -> Any:
    return {
        "id": template.id,
        "version": template.version,
        "newer_version": template.newer_version,
        "title": template.zh,
        "usable": template.usable,
        "restricted_place": template.restricted_place,
    }


def form_value(phone: Phone, record: str) -> Any:
    form = phone.form(record)
    rows = list(dict.fromkeys(item.row for item in form.items if item.row))

    def key(item: onegrid.FormItem) -> str:
        return f"{item.item.id}/{rows.index(item.row) + 1}" if item.row else item.item.id

    return {
        "template": form.template,
        "version": form.version,
        "read_only": form.read_only.code if form.read_only else None,
        "shown": [key(item) for item in form.items if item.relevant],
        "answers": {key(item): item.zh_answer for item in form.items if item.answer is not None},
        "problems": {key(item): item.problem.code for item in form.items if item.problem},
        "stored": [each.key for each in form.stored],
        "answered": form.answered,
        "required": form.required,
        "complete": form.complete,
        "standing": snake(form.standing) if form.standing else None,
        "next_due": form.next_due_at is not None,
        "subject": form.subject.title if form.subject else None,
        "linked": linked_value(form.linked),
    }


def linked_value(linked: tuple[onegrid.LinkedRecord, ...]) -> Any:
    return [
        {
            "link": snake(each.link),
            "direction": snake(each.direction),
            "record": each.row.id,
            "kind": each.row.kind.code,
            "stage": each.row.stage.code,
        }
        for each in linked
    ]


def form_rows(read: Callable[[str | None], Any]) -> Any:
    return [
        {
            "record": row.row.id,
            "title": row.title,
            "version": row.version,
            "standing": snake(row.standing),
            "complete": row.complete,
            "due": row.due_at is not None,
            "distance_m": row.distance_m,
        }
        for row in paged(read)
    ]


def due_forms(
    phone: Phone, near: dict[str, Any] | None = None, before_ms: int | None = None, **filters: Any
) -> Any:
    middle = position(near["position"]) if near else None
    wanted = DueQuery(
        near=onegrid.Near(middle, near["radius_m"]) if near and middle else None,
        before=at(before_ms),
        **filters,
    )
    return form_rows(lambda page: phone.due_forms(wanted, page=page, rows=ROWS))


def planned_forms(
    phone: Phone,
    from_ms: int | None = None,
    until_ms: int | None = None,
    member: str | None = None,
) -> Any:
    return form_rows(
        lambda page: phone.planned_forms(
            at(from_ms), at(until_ms), member=member, page=page, rows=ROWS
        )
    )


def form_counts(phone: Phone, from_ms: int | None = None, until_ms: int | None = None) -> Any:
    return [
        {
            "name": each.zh,
            "planned": each.planned,
            "begun": each.begun,
            "done": each.done,
            "in_vain": each.in_vain,
            "called_off": each.called_off,
        }
        for each in phone.form_counts(at(from_ms), at(until_ms))
    ]


def timeline(phone: Phone, record: str) -> Any:
    items = paged(lambda page: phone.timeline(record, page=page, rows=ROWS))
    return [item.movement for item in items if item.movement is not None]


def paged(read: Callable[[str | None], Any]) -> list[Any]:
    """Returns the items of all pages."""
    page = read(None)
    items = list(page)
    while page.next is not None:
        page = read(page.next)
        items += page
    return items


def listed(phone: Phone, **filters: Any) -> Any:
    wanted = query(**filters)
    return [row.title for row in paged(lambda page: phone.list(wanted, page=page, rows=ROWS))]


def tally(phone: Phone) -> Any:
    counts = phone.tally()
    return {
        "recorded": counts.recorded,
        "counted": counts.counted,
        "waiting": counts.waiting,
        "held": counts.held,
    }


def only(found: tuple[T, ...]) -> T:
    """Returns the only item that was found."""
    if len(found) != 1:
        raise StepError(f"one expected, but {len(found)} were found")
    return found[0]


def unit(phone: Phone, name: str) -> str:
    return only(phone.units(name).items).id


def person(phone: Phone, name: str) -> str:
    return only(phone.people(name).items).member


def sync_value(report: SyncReport) -> Any:
    return {
        "equal": report.equal,
        "more": report.more,
        "pushed": report.pushed,
        "pulled": report.pulled,
        "round_trips": report.round_trips,
        "closed": report.closed.code if report.closed else None,
    }


def plan_value(plan: SyncPlan) -> Any:
    return {
        "records": plan.records.count,
        "open": plan.open.count,
        "bytes": plan.records.bytes,
        "open_bytes": plan.open.bytes,
        "has_minutes": plan.records.minutes is not None,
        "changes": plan.changes,
        "uploads": plan.uploads,
        "photos": plan.photos.count,
        "photo_bytes": plan.photos.bytes,
        "photos_wanted": plan.photos_wanted.count,
        "photos_to_send": plan.photos_to_send.count,
        "at_least": plan.at_least,
    }


def meeting_value(report: MeetingReport) -> Any:
    return {
        "member": report.member,
        "given": report.given,
        "taken": report.taken,
        "parcel_given": report.parcel_given,
        "parcel_taken": report.parcel_taken,
    }


def parcel_counts(phone: Phone) -> Any:
    counts = phone.parcel_counts()
    return {
        "carried": counts.carried,
        "waits": counts.oldest_at is not None,
        "taken": counts.taken,
        "refused": counts.refused,
        "dropped": counts.dropped,
    }


def make_bundle(phone: Phone, code: str | None = None, file: str = "") -> Any:
    made = phone.make_bundle(bytes.fromhex(file) if code is None else code.encode())
    return {
        "file": made.file.hex(),
        "member": made.member,
        "given": made.given,
        "more": made.more,
    }


def sync_until_equal(phone: Phone, tries: int) -> Any:
    for left in reversed(range(tries)):
        try:
            report = phone.sync_once()
        except NetworkError:
            if not left:
                raise
            continue
        if report.equal or not left:
            return sync_value(report)
    return None


def status(phone: Phone) -> Any:
    now = phone.status()
    return {
        "state": snake(now.state),
        "reason": now.reason.code if now.reason else None,
        "pending": now.pending,
        "files_left": now.files_left,
        "bytes_left": now.bytes_left,
    }


def attachment_value(one: onegrid.AttachmentInfo) -> Any:
    return {
        "id": one.id,
        "record": one.record,
        "media": one.media.code,
        "media_type": one.media_type,
        "size": one.size,
        "width": one.width,
        "height": one.height,
        "duration_ms": one.duration_ms,
        "state": snake(one.state),
        "confirmed": one.confirmed,
        "delivered": one.delivered_at is not None,
        "refusal": one.refusal.code if one.refusal else None,
        "has_thumbnail": one.has_thumbnail,
    }


def thumbnail(phone: Phone, id: str, record: str | None = None) -> int | None:
    picture = phone.thumbnail(id, record=record)
    return None if picture is None else len(picture)


def read_attachment(phone: Phone, id: str, record: str | None = None) -> str:
    data = b""
    while piece := phone.read_attachment(
        id, record=record, offset=len(data), max_bytes=PIECE_BYTES
    ):
        data += piece
    return data.hex()


VERBS: dict[str, Callable[..., Any]] = {
    "act": act,
    "act_as": act_as,
    "add_attachment": lambda phone, file: phone.add_attachment(Path(file).read_bytes()).id,
    "add_row": Phone.add_row,
    "answer": lambda phone, record, answers, row=None: phone.answer(
        record, contents(answers), row=row
    ),
    "attach": Phone.attach,
    "attachment": lambda phone, id, record=None: attachment_value(
        phone.attachment(id, record=record)
    ),
    "attachments": lambda phone, record: [each.id for each in phone.attachments(record)],
    "cancel": Phone.cancel,
    "comment": lambda phone, record, text, mentions=(), attachments=(): phone.comment(
        record, text, mentions=mentions, attachments=attachments
    ),
    "count": lambda phone, **filters: phone.count(query(**filters)),
    "due_forms": due_forms,
    "edit": Phone.edit,
    "enrol": enrol,
    "form": form_value,
    "form_counts": form_counts,
    "forms_about": lambda phone, record: form_rows(
        lambda page: phone.forms_about(record, page=page, rows=ROWS)
    ),
    "free_space": lambda phone, bytes: phone.free_space(bytes),
    "import_bundle": lambda phone, file: meeting_value(phone.import_bundle(bytes.fromhex(file))),
    "linked": lambda phone, record: linked_value(phone.linked(record)),
    "list": listed,
    "live_start": Phone.live_start,
    "live_stop": Phone.live_stop,
    "locate": locate,
    "make_bundle": make_bundle,
    "me": lambda phone: me_value(phone.me()),
    "meet": lambda phone, code: meeting_value(phone.meet(code)),
    "meeting_request": Phone.meeting_request,
    "meeting_request_file": lambda phone: phone.meeting_request_file().hex(),
    "moves": moves,
    "notices": lambda phone: [notice.code for notice in phone.notices()],
    "notifications": lambda phone: [each.code for each in phone.notifications()],
    "opened": Phone.opened,
    "parcel_counts": parcel_counts,
    "person": person,
    "plan": lambda phone: plan_value(phone.plan()),
    "plan_form": plan_form,
    "planned_forms": planned_forms,
    "read_attachment": read_attachment,
    "record": record_value,
    "refused_attachments": lambda phone: [each.id for each in phone.refused_attachments()],
    "remove_row": Phone.remove_row,
    "remove_staged": Phone.remove_staged,
    "remove_void_attachment": Phone.remove_void_attachment,
    "report": report,
    "report_finding": report_finding,
    "resume": Phone.resume,
    "search": lambda phone, text: [
        row.title for row in paged(lambda page: phone.search(text, page=page, rows=ROWS))
    ],
    "send_again": Phone.send_again,
    "set_files_policy": lambda phone, policy: phone.set_files_policy(FilesPolicy[policy.upper()]),
    "set_low_storage": Phone.set_low_storage,
    "settle": Phone.settle,
    "shut": Phone.shut,
    "staged_attachments": lambda phone: [each.id for each in phone.staged_attachments()],
    "status": status,
    "suspend": Phone.suspend,
    "sync": lambda phone: sync_value(phone.sync_once()),
    "sync_files": lambda phone: sync_value(phone.sync_files()),
    "sync_until_equal": sync_until_equal,
    "tally": tally,
    "template_items": lambda phone, template, version=None: [
        item.id for item in phone.template_items(template, version)
    ],
    "templates": lambda phone: [template_value(each) for each in phone.templates()],
    "thumbnail": thumbnail,
    "timeline": timeline,
    "undelivered": Phone.undelivered,
    "undo_settle": Phone.undo_settle,
    "unit": unit,
    "want_attachment": Phone.want_attachment,
    "write_note": Phone.write_note,
    **WALK_VERBS,
}


def main() -> None:
    for name in sys.argv[1:]:
        scenario = json.loads(Path(name).read_text(encoding="utf-8"))
        print(f"== {scenario['name']}: {scenario['about']}")
        started = time.monotonic()
        player = Player(lambda sentence: print(f"   {sentence}"))
        try:
            player.play(scenario)
        finally:
            player.close()
        print(f"   {len(scenario['steps'])} steps, {time.monotonic() - started:.1f} s")


if __name__ == "__main__":
    main()
