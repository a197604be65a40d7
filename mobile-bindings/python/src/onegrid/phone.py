"""One member's phone: reports, moves, lists, notices and sync."""

from __future__ import annotations

import contextlib
import threading
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, wait
from datetime import datetime, timedelta
from types import TracebackType
from typing import Any, TypeVar

from onegrid import _ending, _ffi
from onegrid._border import call, lift, lift_all, ms_of, period_of, span_of
from onegrid.accounts import Me, WayBack
from onegrid.attachments import AttachmentCalls
from onegrid.directory import Area, Category, Located, Unit
from onegrid.events import (
    ChangeAdapter,
    EventStream,
    NotificationAdapter,
    StatusAdapter,
    Subscription,
    fed,
    merged_changes,
)
from onegrid.forms import (
    DueQuery,
    FormCounts,
    FormDetail,
    FormRow,
    FormTemplate,
    LinkedRecord,
    PlannedForm,
    TemplateItem,
)
from onegrid.inputs import FieldValue, MapWindow, Position, Query, lower_value
from onegrid.meetings import (
    BundleFile,
    BytePipe,
    MeetingListener,
    MeetingProgress,
    MeetingReport,
    MeetingSide,
    ParcelCounts,
    PipeAdapter,
)
from onegrid.moves import MoveOption
from onegrid.notices import Notice, Notification, Tally
from onegrid.pages import ROWS_A_PAGE, Page, items_of
from onegrid.records import MapPage, Person, RecordDetail, RecordRow, StageCount, TimelineItem
from onegrid.syncing import RecordChanges, SyncPlan, SyncReport, SyncStatus
from onegrid.walks import WalkCalls
from onegrid.words import Language

__all__ = ["Phone"]

T = TypeVar("T")


class Phone(AttachmentCalls, WalkCalls):
    """One member's replica and its sync.

    Every method blocks and may be called from any thread; a method that writes returns once the work survives
    a power cut. Methods that read never wait for the network. Use it as a context manager, or call `shut`:

    ```python
    with device.open_single() as phone:
        phone.enrol(invitation, device_name="office laptop")
        phone.sync_once()
    ```

    Ids of records, envelopes, members, units, areas and roles are opaque texts. Kinds, stages, fields and moves
    are named by stable codes. After `shut` every method raises `BusyError` with code `phone.shut`; while
    suspended, `replica.suspended`. Every method may raise `StorageError` and `BugError` as well as the errors
    that it names. Do not fork a process that has an open phone.
    """

    def __init__(self, raw: _ffi.Phone, way_back: WayBack) -> None:
        """Made by `Device.open_single`, `Device.open_account` and `Device.start_over`."""
        self._raw = raw
        self._streams: weakref.WeakSet[EventStream[Any]] = weakref.WeakSet()
        self.way_back: WayBack = way_back
        """The steps that opening took, with a sentence if the person needs to know them."""
        _ending.register(self)

    # The member

    def enrol(self, invitation: str, *, device_name: str, server: str | None = None) -> Me:
        """Redeems an invitation (QR text or typed code) and enrols this phone for the member.

        `server` is needed with a typed code only, because a QR code carries the address. `device_name` is the
        name that an administrator sees, such as “office laptop”. After an error the same call may be made
        again; an invitation is used up once.

        Raises `invitation.*`, `enrolment.*`, `phone.server_needed`, `net.bad_address`, `sync.offline`,
        `phone.enrolled_already`, `net.cancelled`.
        """
        return lift(Me, self._interruptible(self._raw.enrol, invitation, server, device_name))

    def me(self) -> Me:
        """Returns the member and device of this phone, and the roles that the member may act under."""
        return lift(Me, call(self._raw.me))

    def act_as(self, role: str | None) -> None:
        """Sets the one role for all further writing, until the phone is shut.

        `role` is a `RoleGrant.id`; with `None` each move is made under the role nearest to its record. Raises
        `may.role` for a role that the member does not hold.
        """
        call(self._raw.act_as, role)

    # Writing

    def locate(self, position: Position) -> Located:
        """Returns the grid of a position, and the candidates if it is not sure.

        Raises `position.*`.
        """
        return lift(Located, call(self._raw.locate, position._lower()))

    def report(
        self,
        kind: str,
        fields: Mapping[str, FieldValue],
        *,
        position: Position | None = None,
        area: str | None = None,
        restricted: bool = False,
        team: str | None = None,
        named: Sequence[str] = (),
        linked: str | None = None,
        attachments: Sequence[str] = (),
    ) -> str:
        """Writes a report and returns the record.

        `kind` is `hazard`, `tip`, `request`, `dispute`, `visit`, `task`, `patrol`, `place`, `notice`,
        `shift`, `whistle` (a joint call), `note` or `reward`. `fields` are `title`, `category`, `severity` (1
        to 4), `address`, `occurred_ms`, `description`, `urgency` (1 to 4), `contact_wanted`, `contact`,
        `offence`, `place_type`, `template`, `template_version`, `planned_ms`, `visited`, `companions`,
        `dispute_type` (1 to 10), `dispute_level` (1 to 4), `parties`, `duty_leader`, `duty_unit`,
        `duty_person`, `deadline_ms`, `sessions`, `agreement`, `amount_fen`, `links`, `combined_into`,
        `ground`, `payment`, `section`, `route`, `force`, `equipment`, `joint_type` (1 to 3), `from_record`,
        `meet_ms`, `meet_place`, `found`, `solved`, `findings`, `wanted`, `recurrence`, `duty`, `feedback`,
        `notice_type` (1 to 3), `read_by_ms`, `post`, `open_count`, `open_records` and `answer.<id>`. The
        people in `named` of a dispute are its parties. The phone finds the grid from `position` where that is
        accurate to 50 m; otherwise ask `locate`, let the person choose, and set the choice as `area`.
        `restricted` lets only the people in `named`, its assignees and the command room read it, and never
        changes. `team` shares it with a team of the member, and `linked` is the record that it belongs to.
        `attachments` are ids of staged photos and recordings, at most 16; the field `photo.<id>` is the
        caption of one.

        Raises `report.confirm_area`, `report.no_place`, `content.*`, `position.*`, `media.unknown_id`, `may.*`,
        `replica.not_enrolled`, `replica.disk_full`.
        """
        draft = _ffi.ReportDraft(
            kind=kind,
            fields=[
                _ffi.FieldInput(field=field, value=lower_value(value))
                for field, value in fields.items()
            ],
            position=None if position is None else position._lower(),
            area=area,
            restricted=restricted,
            team=team,
            named=list(named),
            linked=linked,
            attachments=list(attachments),
        )
        return call(self._raw.report, draft)

    def edit(self, record: str, fields: Mapping[str, FieldValue | None]) -> str:
        """Changes fields of a record and returns the envelope; `None` empties a field.

        Concurrent changes of others are merged. If both wrote one field, a conflict card shows it.
        Raises `replica.no_record`, `content.*`, `may.*`.
        """
        changes = [
            _ffi.FieldChange(field=field, value=None if value is None else lower_value(value))
            for field, value in fields.items()
        ]
        return call(self._raw.edit, record, changes)

    def comment(
        self,
        record: str,
        text: str,
        *,
        mentions: Sequence[str] = (),
        attachments: Sequence[str] = (),
    ) -> str:
        """Writes a comment on a record, mentions members by name, and returns the envelope. It changes no state.

        `text` has 1 to 2,000 characters; `attachments` are at most 16 ids of photos and recordings that are
        staged or in the record. Raises `replica.no_record`, `may.not_readable`, `input.invalid`,
        `media.unknown_id`.
        """
        return call(self._raw.comment, record, text, list(mentions), list(attachments))

    def opened(self, record: str) -> bool:
        """Notes that the person looks at a record.

        The first opening by a dispatcher or handler is signed, becomes the step “seen” of the reporter's
        receipt, and returns `True`. Later ones return `False`.
        """
        return call(self._raw.opened, record)

    def moves(self, record: str) -> tuple[MoveOption, ...]:
        """Returns every move on a record: whether this member may make it now, and why not.

        Raises `replica.no_record`.
        """
        return lift_all(MoveOption, call(self._raw.moves, record))

    def act(
        self,
        record: str,
        movement: str,
        *,
        text: str | None = None,
        assignment: str | None = None,
        to_unit: str | None = None,
        to_member: str | None = None,
        to_area: str | None = None,
        part: str | None = None,
        accept_by: datetime | None = None,
        arrive_by: datetime | None = None,
        resolve_by: datetime | None = None,
        into: str | None = None,
        request: str | None = None,
        satisfied: bool | None = None,
        until: datetime | None = None,
        category: str | None = None,
        severity: int | None = None,
        grid: str | None = None,
        attachments: Sequence[str] = (),
        mentions: Sequence[str] = (),
        before: Sequence[str] = (),
        after: Sequence[str] = (),
        behalf_reason: str | None = None,
        reason: str | None = None,
    ) -> str:
        """Makes a move, such as `accept`, and returns the envelope.

        `MoveOption.needs` lists the inputs of a move. `text` is a note, or the reason where the move needs one;
        `part` is `lead` or `support`, without it `lead`; `severity` is 1 (general) to 4 (critical); `into` is
        the record that continues after `merge`; `attachments`, `before` and `after` are ids of photos and
        recordings that are staged or in the record, at most 16 each; `behalf_reason` acts for the party of the
        assignment; `reason` is a code out of `MoveOption.reasons`.

        The phone refuses a move at once if the rules do not allow it in the state that the phone knows. Raises
        `input.unknown_move`, `input.missing`, `input.invalid`, `input.too_many`, `media.unknown_id`, `case.*`,
        `may.*`, `replica.no_record`.
        """
        move = _ffi.MoveInput(
            movement=movement,
            text=text,
            assignment=assignment,
            to_unit=to_unit,
            to_member=to_member,
            to_area=to_area,
            part=part,
            accept_by_ms=ms_of(accept_by),
            arrive_by_ms=ms_of(arrive_by),
            resolve_by_ms=ms_of(resolve_by),
            into=into,
            request=request,
            satisfied=satisfied,
            until_ms=ms_of(until),
            category=category,
            severity=severity,
            grid=grid,
            attachments=list(attachments),
            mentions=list(mentions),
            before=list(before),
            after=list(after),
            behalf_reason=behalf_reason,
            reason=reason,
        )
        return call(self._raw.act, record, move)

    def settle(self, record: str, field: str, value: FieldValue) -> str:
        """Settles a field that people wrote without knowing of each other, and returns the envelope.

        From now on it has `value`, one of theirs or another. Raises `replica.no_conflict` if the conflict
        was settled already, `content.*`, `may.*`.
        """
        return call(self._raw.settle, record, field, lower_value(value))

    def undo_settle(self, record: str, envelope: str) -> str:
        """Takes a settling back, as long as the field was not written since, and returns the envelope.

        Raises `replica.nothing_to_undo`.
        """
        return call(self._raw.undo_settle, record, envelope)

    # Checklists

    def templates(self) -> tuple[FormTemplate, ...]:
        """Returns the templates on this phone in the order of their ids, each in its newest readable version."""
        return lift_all(FormTemplate, call(self._raw.templates))

    def template_items(self, template: str, version: int | None = None) -> tuple[TemplateItem, ...]:
        """Returns the items of a template in words, at most 500; without `version`, of the newest readable one.

        Raises `form.no_template` if the template is not on this phone, and `form.newer_template`.
        """
        return lift_all(TemplateItem, call(self._raw.template_items, template, version))

    def plan_form(
        self,
        kind: str,
        template: str,
        *,
        subject: str | None = None,
        title: str | None = None,
        address: str | None = None,
        position: Position | None = None,
        area: str | None = None,
        planned: datetime | None = None,
        companions: Sequence[str] = (),
        companion_names: str | None = None,
        restricted: bool = False,
        team: str | None = None,
        linked: str | None = None,
        note: str | None = None,
    ) -> PlannedForm:
        """Plans a checklist, such as a `visit`.

        `subject` is the record of the place or person; a place without a record has `title`, `address` and
        `position`; without both, the place is that of `linked`, the record that the checklist follows up. The
        grid comes from `area`, else from `position`, else from the record. `companions` (at most 64) may write
        answers and read the private notes; `companion_names` are the names that the checklist shows. `note` has
        private words. If the template hides the place, its name goes into a restricted record. The move `start`
        begins the checklist, and `finish` ends it.

        Raises `form.no_subject`, `form.no_template`, `form.newer_template`, `form.not_for_role`,
        `form.subject_merged`, `form.no_form` for a kind without a form, `report.confirm_area`,
        `report.no_place`, `position.*`, `content.*`, `may.*`, `replica.no_record`, `replica.disk_full`.
        """
        draft = _ffi.FormDraft(
            kind=kind,
            template=template,
            subject=subject,
            title=title,
            address=address,
            position=None if position is None else position._lower(),
            area=area,
            planned_ms=ms_of(planned),
            companions=list(companions),
            companion_names=companion_names,
            restricted=restricted,
            team=team,
            linked=linked,
            note=note,
        )
        return lift(PlannedForm, call(self._raw.plan_form, draft))

    def form(self, record: str) -> FormDetail:
        """Returns the page of a checklist: items, answers, problems, progress, and why it is only readable.

        Raises `replica.no_record`, and `form.no_form` for a record without a form.
        """
        return lift(FormDetail, call(self._raw.form, record))

    def answer(
        self, record: str, answers: Mapping[str, FieldValue | None], *, row: str | None = None
    ) -> str:
        """Sets and clears answers, all of them or none, and returns the envelope; `None` clears an answer.

        `answers` maps 1 to 1,000 questions to values in the forms of `FormItem.answer`; choices may be in any
        order, and a whole number may be an `int`. `row` is the row of all of them, inside a repeat. A value that
        is no answer to its question is refused. A value beyond the range or the rule of its question is saved,
        and becomes a problem on the page.

        Raises `form.no_question`, `form.wrong_type`, `form.unknown_choice`, `form.answer_long`, `form.no_form`,
        `form.no_template`, `form.newer_template`, `form.not_for_role`, `replica.no_record`, `content.*`,
        `position.*`, `may.*`.
        """
        changes = [
            _ffi.AnswerChange(
                question=question, row=row, value=None if value is None else lower_value(value)
            )
            for question, value in answers.items()
        ]
        return call(self._raw.answer, record, changes)

    def add_row(self, record: str, repeat_id: str) -> str:
        """Adds a row to a repeat and returns the row; at most 100 rows count.

        Raises `form.row_limit` where this phone has added 100 rows, and the errors of `answer`.
        """
        return call(self._raw.add_row, record, repeat_id)

    def remove_row(self, record: str, repeat_id: str, row: str) -> str:
        """Removes a row of a repeat and returns the envelope. Its answers stay in the record and do not count.

        Raises the errors of `answer`.
        """
        return call(self._raw.remove_row, record, repeat_id, row)

    def write_note(self, record: str, text: str, named: Sequence[str] = ()) -> str:
        """Writes the member's private words about a checklist, or writes them anew, and returns their record.

        Only the member, the people in `named` (at most 64) and the command room read it. A later call keeps the
        people of the first one. Raises `form.no_words` for a first note without words, `form.no_form`,
        `replica.no_record`, `content.*`, `may.*`.
        """
        return call(self._raw.write_note, record, text, list(named))

    def report_finding(
        self,
        record: str,
        kind: str,
        language: Language,
        fields: Mapping[str, FieldValue] | None = None,
        *,
        question: str | None = None,
        row: str | None = None,
        restricted: bool = False,
        team: str | None = None,
    ) -> str:
        """Reports a finding as a record that is linked to the checklist, and returns the new record.

        `kind` and `fields` are those of `report`. The new record gets the title, address and position of the
        checklist where it has none of its own and its readers may know them. The last line of its description
        names the question and its answer in `language`.

        Raises `form.no_form`, `form.no_question`, `replica.no_record`, `content.*`, `may.*`.
        """
        draft = _ffi.FindingDraft(
            kind=kind,
            question=question,
            row=row,
            fields=[
                _ffi.FieldInput(field=field, value=lower_value(value))
                for field, value in (fields or {}).items()
            ],
            restricted=restricted,
            team=team,
            language=language,
        )
        return call(self._raw.report_finding, record, draft)

    def linked(self, record: str) -> tuple[LinkedRecord, ...]:
        """Returns the records that are linked with a record, in both directions, at most 200 of each kind."""
        return lift_all(LinkedRecord, call(self._raw.linked, record))

    def due_forms(
        self, query: DueQuery | None = None, *, page: str | None = None, rows: int = ROWS_A_PAGE
    ) -> Page[FormRow]:
        """Returns a page of what is due: each place and template once; `rows` is 1 to 200.

        Raises `list.bad_token`, and `input.bad_value` for a radius of 0 or over 100 km.
        """
        found = call(self._raw.due_forms, (query or DueQuery())._lower(), page, rows)
        return Page(lift_all(FormRow, found.rows), found.next)

    def planned_forms(
        self,
        since: datetime | None = None,
        until: datetime | None = None,
        *,
        member: str | None = None,
        page: str | None = None,
        rows: int = ROWS_A_PAGE,
    ) -> Page[FormRow]:
        """Returns a page of the checklists planned in a period, in the order of their times.

        With `member` it has those alone that this person planned; `rows` is 1 to 200. Raises `list.bad_token`.
        """
        first, last = period_of(since, until)
        found = call(self._raw.planned_forms, first, last, member, page, rows)
        return Page(lift_all(FormRow, found.rows), found.next)

    def forms_about(
        self, record: str, *, page: str | None = None, rows: int = ROWS_A_PAGE
    ) -> Page[FormRow]:
        """Returns a page of the checklists about one place or person, the newest first; `rows` is 1 to 200.

        `record` is the record of the subject, or one of the checklists. Raises `list.bad_token`.
        """
        found = call(self._raw.forms_about, record, page, rows)
        return Page(lift_all(FormRow, found.rows), found.next)

    def form_counts(
        self, since: datetime | None = None, until: datetime | None = None
    ) -> tuple[FormCounts, ...]:
        """Returns the numbers of checklists by person in a period."""
        return lift_all(FormCounts, call(self._raw.form_counts, *period_of(since, until)))

    # Reading

    def list(
        self, query: Query | None = None, *, page: str | None = None, rows: int = ROWS_A_PAGE
    ) -> Page[RecordRow]:
        """Returns a page of records; `page` is the `next` of the page before, `rows` is 1 to 200.

        Raises `list.bad_token` for a page of another query, and `input.invalid` for an unknown kind, stage or
        category, a radius over 100 km, or the order by distance without `near`.
        """
        found = call(self._raw.list, (query or Query())._lower(), page, rows)
        return Page(lift_all(RecordRow, found.rows), found.next)

    def records(self, query: Query | None = None) -> Iterator[RecordRow]:
        """Yields all records of a query, and reads them page by page as they are needed."""
        return items_of(lambda page: self.list(query, page=page))

    def count(self, query: Query | None = None) -> int:
        """Returns the number of records that pass a query. Raises the errors of `list`."""
        return call(self._raw.count, (query or Query())._lower())

    def count_by_stage(self, query: Query | None = None) -> tuple[StageCount, ...]:
        """Returns the number of records that pass a query, by stage; stages without records are left out."""
        return lift_all(StageCount, call(self._raw.count_by_stage, (query or Query())._lower()))

    def search(
        self, text: str, *, page: str | None = None, rows: int = ROWS_A_PAGE
    ) -> Page[RecordRow]:
        """Returns a page of the records that contain all the words, newest change first.

        Finds Chinese words of any length and English words by their beginning. `rows` is 1 to 200. Raises
        `list.bad_token`.
        """
        found = call(self._raw.search, text, page, rows)
        return Page(lift_all(RecordRow, found.rows), found.next)

    def found(self, text: str) -> Iterator[RecordRow]:
        """Yields all records that contain all the words, page by page as they are needed."""
        return items_of(lambda page: self.search(text, page=page))

    def map(self, window: MapWindow) -> MapPage:
        """Returns the records inside a window of the map, at most 5,000; `cut` says whether there are more.

        Raises `position.out_of_range`.
        """
        return lift(MapPage, call(self._raw.map, window._lower()))

    def due(
        self, within: timedelta = timedelta(days=1), *, rows: int = ROWS_A_PAGE
    ) -> tuple[RecordRow, ...]:
        """Returns open work of this member and the member's units, due within a time or overdue.

        The most urgent comes first; `rows` is 1 to 200.
        """
        return lift_all(RecordRow, call(self._raw.due, within // timedelta(milliseconds=1), rows))

    def record(self, record: str) -> RecordDetail:
        """Returns the page of a record. Raises `replica.no_record` if it is not on this phone."""
        return lift(RecordDetail, call(self._raw.record, record))

    def timeline(
        self, record: str, *, page: str | None = None, rows: int = ROWS_A_PAGE
    ) -> Page[TimelineItem]:
        """Returns a page of a record's story, in the order that counts; `rows` is 1 to 200.

        Raises `replica.no_record`, `list.bad_token`.
        """
        found = call(self._raw.timeline, record, page, rows)
        return Page(lift_all(TimelineItem, found.items), found.next)

    def story(self, record: str) -> Iterator[TimelineItem]:
        """Yields a record's whole story, page by page as it is needed."""
        return items_of(lambda page: self.timeline(record, page=page))

    def tally(self, since: datetime | None = None, until: datetime | None = None) -> Tally:
        """Returns “148 recorded, 148 counted”: the member's work between two times, and how much of it counts."""
        return lift(Tally, call(self._raw.tally, ms_of(since), ms_of(until)))

    def undelivered(self) -> int:
        """Returns the number of envelopes that no server has judged: own ones, and those carried for others."""
        return call(self._raw.undelivered)

    # Notices

    def notices(self) -> tuple[Notice, ...]:
        """Returns the notices that the person has not seen, oldest first, at most 200."""
        return lift_all(Notice, call(self._raw.notices))

    def notices_seen(self, up_to: int) -> None:
        """Notes that the person has seen the notices up to this `Notice.no`."""
        call(self._raw.notices_seen, up_to)

    def notifications(self, after: int = 0, *, rows: int = ROWS_A_PAGE) -> tuple[Notification, ...]:
        """Returns the notifications that were not taken, oldest first, with a number above `after`."""
        return lift_all(Notification, call(self._raw.notifications, after, rows))

    def notifications_taken(self, up_to: int) -> None:
        """Notes that the notifications up to this `Notification.no` were shown; they are not given again."""
        call(self._raw.notifications_taken, up_to)

    # Directory

    def areas(
        self, parent: str | None = None, *, page: str | None = None, rows: int = ROWS_A_PAGE
    ) -> Page[Area]:
        """Returns a page of the areas directly below `parent`; without one, the districts.

        `rows` is 1 to 200. Raises `list.bad_token`.
        """
        found = call(self._raw.areas, parent, page, rows)
        return Page(lift_all(Area, found.areas), found.next)

    def units(
        self,
        search: str = "",
        *,
        area: str | None = None,
        page: str | None = None,
        rows: int = ROWS_A_PAGE,
    ) -> Page[Unit]:
        """Returns a page of the units whose name holds the words, of an area or below it where one is given.

        `rows` is 1 to 200. Raises `list.bad_token`.
        """
        found = call(self._raw.units, search, area, page, rows)
        return Page(lift_all(Unit, found.units), found.next)

    def people(
        self, search: str = "", *, page: str | None = None, rows: int = ROWS_A_PAGE
    ) -> Page[Person]:
        """Returns a page of the people of this phone's villages whose public name holds the words.

        `rows` is 1 to 200. Raises `list.bad_token`.
        """
        found = call(self._raw.people, search, page, rows)
        return Page(lift_all(Person, found.people), found.next)

    def categories(self) -> tuple[Category, ...]:
        """Returns the categories of this deployment, at most 1,000."""
        return lift_all(Category, call(self._raw.categories))

    # Sync

    def plan(self) -> SyncPlan:
        """Asks the server what the next sync would cost, so that a program can ask the person first.

        The call moves no work. Minutes are known once a page has come: a new phone syncs with a small budget
        and asks for the plan of the rest. Ctrl-C in the main thread cancels it.

        Raises the errors of `sync_once`, `session.certificate_expired`, and `sync.unmeasured` from an older
        server.
        """
        return lift(SyncPlan, self._interruptible(self._raw.plan))

    def sync_once(
        self, *, time: timedelta | None = None, max_bytes: int | None = None
    ) -> SyncReport:
        """Exchanges with the server until both hold the same or the budget is used up.

        `time` and `max_bytes` (both ways) bound it; without them there is no limit. Everything exchanged is
        kept, and the next sync continues from there. Photos and recordings follow the records, as
        `set_files_policy` allows; they never make a sync fail. Ctrl-C in the main thread cancels it and raises
        `KeyboardInterrupt`.

        Raises `replica.not_enrolled`, `sync.offline`, `net.cancelled`, `replica.suspended`, and the refusals of
        the server.
        """
        budget = _ffi.SyncBudget(time_ms=span_of(time), bytes=max_bytes)
        return lift(SyncReport, self._interruptible(self._raw.sync_once, budget))

    def sync_files(
        self, *, time: timedelta | None = None, max_bytes: int | None = None
    ) -> SyncReport:
        """Syncs as `sync_once` does, with photos and recordings under each `FilesPolicy`.

        Raises the errors of `sync_once`.
        """
        budget = _ffi.SyncBudget(time_ms=span_of(time), bytes=max_bytes)
        return lift(SyncReport, self._interruptible(self._raw.sync_files, budget))

    def live_start(self) -> None:
        """Starts live sync: after each write, when the server has something new, and every few minutes.

        Raises `replica.not_enrolled`.
        """
        call(self._raw.live_start)

    def live_stop(self) -> None:
        """Stops live sync."""
        call(self._raw.live_stop)

    @contextlib.contextmanager
    def live(self) -> Iterator[None]:
        """Keeps live sync on inside a `with` block."""
        self.live_start()
        try:
            yield
        finally:
            self.live_stop()

    def nudge(self) -> None:
        """Makes live sync ask the server now, because the network is back or a push arrived."""
        call(self._raw.nudge)

    def cancel(self) -> None:
        """Interrupts `enrol`, `plan`, `sync_once`, `sync_files` or a meeting of another thread.

        That call raises `CancelledError` within a second.
        """
        call(self._raw.cancel)

    def status(self) -> SyncStatus:
        """Returns the state of the connection. It answers at any time."""
        return lift(SyncStatus, call(self._raw.status))

    # Meetings

    def listen_for_meeting(self, address: str = "0.0.0.0") -> MeetingListener:
        """Listens for other phones at an address of this phone, on a free port.

        Show the code of the listener, then call `accept_meeting`. Raises `meeting.bad_address`,
        `meeting.cannot_listen`, `replica.not_enrolled`.
        """
        return MeetingListener(call(self._raw.listen_for_meeting, address))

    def accept_meeting(self, listener: MeetingListener) -> MeetingReport:
        """Waits for the next phone and exchanges work with it; calls of strangers are left.

        The exchanged work is provisional until the server has judged it. Raises `meeting.*`, `peer.revoked`,
        `peer.no_secret`; imported work is kept after any error.
        """
        return lift(MeetingReport, self._interruptible(self._raw.accept_meeting, listener._raw))

    def meet(self, code: str) -> MeetingReport:
        """Calls the phone whose code was scanned, and exchanges work with it. No other phone is met.

        Raises `meeting.*`, `session.other_phone`, `peer.revoked`, `peer.no_secret`.
        """
        return lift(MeetingReport, self._interruptible(self._raw.meet, code))

    def meet_at(self, addresses: Sequence[str]) -> MeetingReport:
        """Calls a phone that DNS-SD found, at addresses with ports. Any phone of the deployment may answer.

        Raises the errors of `meet`, and `meeting.bad_address`.
        """
        return lift(MeetingReport, self._interruptible(self._raw.meet_at, list(addresses)))

    def meet_over(self, pipe: BytePipe, side: MeetingSide) -> MeetingReport:
        """Exchanges work with the phone at the other end of a pipe of the program, which is shut afterwards.

        Raises the errors of `meet`.
        """
        adapter = PipeAdapter(pipe)
        return lift(MeetingReport, self._interruptible(self._raw.meet_over, adapter, side))

    def meeting_progress(self) -> MeetingProgress:
        """Returns how far the meeting under way has come. It answers at any time."""
        return lift(MeetingProgress, call(self._raw.meeting_progress))

    def parcel_counts(self) -> ParcelCounts:
        """Counts the parcels of other phones that this phone carries, and the earlier ones by their end."""
        return lift(ParcelCounts, call(self._raw.parcel_counts))

    def meeting_request(self) -> str:
        """Asks for a file of another phone, by the text of a QR code. It is valid for seven days.

        Raises `bundle.too_long_for_code`; then use `meeting_request_file`.
        """
        return call(self._raw.meeting_request)

    def meeting_request_file(self) -> bytes:
        """Asks for a file of another phone, by a file. The answer holds only the differences."""
        return call(self._raw.meeting_request_file)

    def make_bundle(self, request: bytes) -> BundleFile:
        """Answers a request: the bytes of a file, or the text of a QR code in UTF-8.

        The file is for that phone alone and holds only records that its member may read. Raises `bundle.*`,
        `peer.revoked`, `peer.not_proved`.
        """
        return lift(BundleFile, call(self._raw.make_bundle, request))

    def import_bundle(self, file: bytes) -> MeetingReport:
        """Imports a file that answers a request of this phone.

        After any error the same file may be imported again. Raises `bundle.*`, such as `bundle.no_request` and
        `bundle.imported_before`, and `peer.revoked`.
        """
        return lift(MeetingReport, call(self._raw.import_bundle, file))

    # Events

    def on_changes(self, callback: Callable[[RecordChanges], None]) -> Subscription:
        """Calls `callback` with the records that change, on a thread of OneGrid, one call at a time.

        Changes during a call are merged into the next call. An exception is logged.
        """
        return Subscription(call(self._raw.subscribe_changes, ChangeAdapter(callback)))

    def on_status(self, callback: Callable[[SyncStatus], None]) -> Subscription:
        """Calls `callback` with the status of the connection, now and whenever it changes."""
        return Subscription(call(self._raw.subscribe_status, StatusAdapter(callback)))

    def on_notifications(
        self, callback: Callable[[tuple[Notification, ...]], None]
    ) -> Subscription:
        """Calls `callback` with the notifications, oldest first, beginning with those that were not taken yet."""
        return Subscription(call(self._raw.subscribe_notifications, NotificationAdapter(callback)))

    def changes(self) -> EventStream[RecordChanges]:
        """Returns a stream of the records that change."""
        return self._stream(fed(merged_changes, self.on_changes))

    def status_changes(self) -> EventStream[SyncStatus]:
        """Returns a stream of the status of the connection: the newest one, now and whenever it changes."""
        return self._stream(fed(lambda old, new: new, self.on_status))

    def notifications_stream(self) -> EventStream[tuple[Notification, ...]]:
        """Returns a stream of the notifications, oldest first, beginning with those that were not taken yet."""
        return self._stream(fed(lambda old, new: old + new, self.on_notifications))

    # Life

    def suspend(self) -> None:
        """Releases all files: when this returns, no transaction runs and no file is locked.

        A sync under way is interrupted, and acknowledged work is kept. Until `resume`, every method except
        `status` and `suspend` raises `replica.suspended`.
        """
        call(self._raw.suspend)

    def resume(self) -> None:
        """Takes calls again, and live sync continues where it was on.

        Raises the errors of opening, such as `replica.in_use`; the phone stays suspended then.
        """
        call(self._raw.resume)

    @contextlib.contextmanager
    def suspended(self) -> Iterator[None]:
        """Suspends the phone inside a `with` block."""
        self.suspend()
        try:
            yield
        finally:
            self.resume()

    def shut(self) -> None:
        """Closes the replica for good and ends its streams. The account can be opened again at once."""
        call(self._raw.shut)
        for stream in tuple(self._streams):
            stream._end()

    def support_bundle(self) -> str:
        """Returns facts that help to find an error, as JSON: versions, counts, codes and sizes.

        It holds no content, names, positions or keys.
        """
        return call(self._raw.support_bundle)

    def __enter__(self) -> Phone:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.shut()

    def _let_go(self) -> None:
        with contextlib.suppress(Exception):
            self.shut()
        _ending.release(self._raw)

    def _stream(self, stream: EventStream[T]) -> EventStream[T]:
        self._streams.add(stream)
        return stream

    def _interruptible(self, function: Callable[..., T], *args: object) -> T:
        """Runs a call that waits for the network. In the main thread, Ctrl-C cancels it.

        Python handles a signal between two steps of the main thread, and a call of the core is one step. So
        the call runs on a thread of its own while the main thread waits.
        """
        if threading.current_thread() is not threading.main_thread():
            return call(function, *args)
        outcome: Future[T] = Future()
        worker = threading.Thread(
            target=_fulfil, args=(outcome, function, args), name="onegrid-call", daemon=True
        )
        worker.start()
        try:
            return outcome.result()
        except KeyboardInterrupt:
            while not outcome.done():
                # The cancel is repeated, because a cancel before the call has begun has no effect.
                self.cancel()
                wait((outcome,), timeout=0.1)
            raise


def _fulfil(outcome: Future[T], function: Callable[..., T], args: tuple[object, ...]) -> None:
    try:
        outcome.set_result(call(function, *args))
    except BaseException as error:
        outcome.set_exception(error)
