"""Checklists: templates, the page of one checklist, lists of them.

A checklist is a record of a kind with a form, such as a visit.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from onegrid import _ffi
from onegrid._border import ms_of
from onegrid._ffi import FormStanding, LinkDirection, LinkKind
from onegrid.inputs import FieldValue, Near
from onegrid.records import RecordRow
from onegrid.words import Word

__all__ = [
    "DueQuery",
    "FormCounts",
    "FormDetail",
    "FormItem",
    "FormRow",
    "FormStanding",
    "FormTemplate",
    "LinkDirection",
    "LinkKind",
    "LinkedRecord",
    "PlannedForm",
    "StoredAnswer",
    "TemplateItem",
]


@dataclass(frozen=True, slots=True)
class FormTemplate:
    """A template of checklists, in the newest version that this package reads."""

    id: str
    """The stable id."""
    version: int | None
    """The version; `None` if every version needs a newer one of this package."""
    newer_version: int | None
    """A higher version that needs a newer one of this package."""
    zh: str
    """The title in Chinese."""
    en: str
    """The title in English."""
    zh_about: str
    """The purpose in Chinese; may be empty."""
    en_about: str
    """The purpose in English; may be empty."""
    usable: bool
    """Whether the member may fill it in under the present role."""
    restricted_place: bool
    """Whether only the people of the checklist may know the name of the place."""
    next_days: int | None
    """Days until the next checklist is due."""
    next_working_days: int | None
    """Working days until the next checklist is due."""


@dataclass(frozen=True, slots=True)
class TemplateItem:
    """A question, note, section or repeat of a template."""

    id: str
    """The stable id."""
    kind: str
    """The type: `text`, `number`, `one` choice, `many` choices, `yes_no`, `date`, `time`, `position`, `photo`,
    `note`, `section`, `repeat`."""
    parent: str | None
    """The section or repeat around it."""
    in_repeat: str | None
    """The repeat around it, at any distance."""
    zh: str
    """The question in Chinese."""
    en: str
    """The question in English."""
    zh_hint: str
    """Help in Chinese; may be empty."""
    en_hint: str
    """Help in English; may be empty."""
    zh_unit: str
    """The unit of a number in Chinese; may be empty."""
    en_unit: str
    """The unit of a number in English; may be empty."""
    min: str | None
    """The least number, as digits."""
    max: str | None
    """The largest number, as digits."""
    decimals: int
    """The most digits after the point of a number, 0 to 6."""
    choices: tuple[Word, ...]
    """The choices of `one` and `many`, at most 200."""


@dataclass(frozen=True, slots=True)
class FormItem:
    """An item of a checklist with its state; inside a repeat, of one row."""

    item: TemplateItem
    """The item."""
    row: str | None
    """The row, inside a repeat."""
    relevant: bool
    """Whether it is shown."""
    required: bool
    """Whether an answer is needed; never for an item that is not shown."""
    answer: FieldValue | None
    """The stored answer, even if it has a problem or is not shown. Yes or no is a `bool`, a position is a
    `Position`. A number is its digits, `one` the code of the choice, `many` the codes with spaces between, a
    date `2026-11-30`, a time `18:30`, a photo its id (64 hex digits)."""
    zh_answer: str
    """The answer in Chinese words; empty without an answer."""
    en_answer: str
    """The answer in English words; empty without an answer."""
    problem: Word | None
    """The problem that the person has to solve, such as `form.required`, with its sentences."""


@dataclass(frozen=True, slots=True)
class StoredAnswer:
    """An answer as stored, in a checklist whose template this package cannot read."""

    key: str
    """The question, and the row inside a repeat: `question` or `question-row`."""
    text: str
    """The stored text."""


@dataclass(frozen=True, slots=True)
class LinkedRecord:
    """A record that belongs to another one."""

    link: LinkKind
    """The kind of the link."""
    direction: LinkDirection
    """The direction of the link, seen from the record that was asked about."""
    row: RecordRow
    """The other record, with its stage."""


@dataclass(frozen=True, slots=True)
class FormDetail:
    """The page of a checklist, beside the page of its record."""

    template: str
    """The id of the template."""
    version: int
    """The version of the template that the answers belong to."""
    zh: str
    """The title of the template in Chinese; its id if the template is not on this phone."""
    en: str
    """The title of the template in English."""
    read_only: Word | None
    """The reason why the member may only read it, such as `form.no_template` or `form.newer_template`."""
    items: tuple[FormItem, ...]
    """The items in the order of the template. The items in a repeat come once for each row, row by row. Empty
    without the template."""
    stored: tuple[StoredAnswer, ...]
    """The answers as stored, if this package cannot read the template."""
    unknown: tuple[str, ...]
    """Keys of answers that the template has no place for."""
    answered: int
    """Required questions whose answer counts."""
    required: int
    """Required questions that are shown."""
    complete: bool
    """Whether no item has a problem, so that the checklist may be finished."""
    today: str
    """The day that `today()` means in the rules, such as `2026-11-30`."""
    standing: FormStanding | None
    """The progress; `None` while the beginning of the record does not count."""
    planned_at: datetime | None
    """The planned time."""
    begun_at: datetime | None
    """The begin."""
    ended_at: datetime | None
    """The end."""
    duration_ms: int | None
    """The time from begin to end, in milliseconds, by the signed steps."""
    next_due_at: datetime | None
    """The time when the next checklist about the subject is due, as this one says."""
    subject: RecordRow | None
    """The record of the place or person, if this phone may read it."""
    linked: tuple[LinkedRecord, ...]
    """The records that belong to it: findings, private notes, the case that it follows up."""

    def problems(self) -> tuple[FormItem, ...]:
        """Returns the items that keep the checklist from its end."""
        return tuple(item for item in self.items if item.problem is not None)


@dataclass(frozen=True, slots=True)
class PlannedForm:
    """The records that a plan made."""

    form: str
    """The checklist."""
    subject: str | None
    """The restricted record with the name of the place, if the template hides it."""
    note: str | None
    """The private note."""


@dataclass(frozen=True, slots=True)
class FormRow:
    """A checklist as lists show it."""

    row: RecordRow
    """The record."""
    template: str
    """The id of the template."""
    version: int
    """The version of the template."""
    title: str
    """The name of the place, from its record if this phone may read it; may be empty."""
    address: str
    """The address of the place; may be empty."""
    lat: float | None
    """Latitude, degrees WGS-84."""
    lon: float | None
    """Longitude, degrees WGS-84."""
    subject: str | None
    """The record of the place or person, if it has one."""
    standing: FormStanding
    """The progress."""
    planned_at: datetime | None
    """The planned time."""
    begun_at: datetime | None
    """The begin."""
    ended_at: datetime | None
    """The end."""
    member: str | None
    """The person who made the last step, or the record; `None` if withheld from this phone."""
    complete: bool | None
    """Whether no answer is missing and none has a problem; `None` without the template."""
    due_at: datetime | None
    """In lists of due dates: the time when it is due."""
    next_due_at: datetime | None
    """The time when the next checklist about the subject is due, as this one says."""
    distance_m: int | None
    """Distance from the centre of `near`, metres."""


@dataclass(frozen=True, slots=True)
class FormCounts:
    """The checklists of one person in a period."""

    member: str | None
    """The person; `None` if withheld from this phone."""
    zh: str
    """The name in Chinese."""
    en: str
    """The name in English."""
    planned: int
    """Planned in the period and not begun."""
    begun: int
    """Begun in the period and not ended."""
    done: int
    """Done in the period."""
    in_vain: int
    """Tried in vain in the period."""
    called_off: int
    """Called off in the period."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DueQuery:
    """The conditions of a list of due dates; a due date must meet every condition that is set."""

    before: datetime | None = None
    """Due before this time."""
    overdue: bool = False
    """Overdue now."""
    near: Near | None = None
    """Inside a circle. The list is then in the order of distance, and without it in the order of due dates."""
    in_my_areas: bool = False
    """In an area of the member's own roles."""
    area: str | None = None
    """In this area or below it."""
    template: str | None = None
    """The id of the template."""

    def _lower(self) -> _ffi.DueQuery:
        return _ffi.DueQuery(
            before_ms=ms_of(self.before),
            overdue=self.overdue,
            near=None if self.near is None else self.near._lower(),
            in_my_areas=self.in_my_areas,
            area=self.area,
            template=self.template,
        )
