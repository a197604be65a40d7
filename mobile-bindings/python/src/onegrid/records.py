"""Records as lists, the map and the page of a record show them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from onegrid._ffi import ReceiptStep
from onegrid.inputs import FieldValue
from onegrid.words import Word

__all__ = [
    "Assignment",
    "Comment",
    "ConflictCard",
    "ConflictVersion",
    "ContentField",
    "MapPage",
    "MapPoint",
    "Person",
    "ReceiptStep",
    "RecordDetail",
    "RecordRow",
    "SetAside",
    "StageCount",
    "TimelineItem",
]


@dataclass(frozen=True, slots=True)
class RecordRow:
    """A record as lists show it."""

    id: str
    """The record."""
    kind: Word
    """The kind: hazard, tip, request, dispute, visit, task, patrol, place, notice, shift, whistle, note or reward."""
    restricted: bool
    """Whether only the named people may read it."""
    stage: Word
    """The stage of the case."""
    open: bool
    """Whether work remains to be done."""
    category: Word | None
    """The category from triage or from the creator; `None` while there is none."""
    severity: Word | None
    """The severity, or the urgency; `None` while there is none."""
    title: str
    """The title, or the start of the description if there is no title."""
    address: str
    """The address as written."""
    lat: float | None
    """Latitude, degrees WGS-84."""
    lon: float | None
    """Longitude, degrees WGS-84."""
    created_at: datetime
    """The time of the report."""
    updated_at: datetime
    """The time of the last change."""
    mine: bool
    """Whether this member made it."""
    undelivered: int
    """The number of envelopes here that no server has judged."""
    provisional: bool
    """Whether even the first envelope is not judged yet."""
    conflicts: int
    """The conflicts that people have to settle."""
    needs_review: bool
    """Whether evidence arrived concurrently with an ending."""
    needs_newer_app: bool
    """Whether it contains an envelope of a newer app."""
    receipt: ReceiptStep
    """The progress of the report."""
    due_at: datetime | None
    """The earliest deadline that still counts."""
    overdue: bool
    """Whether that deadline has passed."""
    distance_m: int | None
    """Distance from the centre of `near`, metres."""


@dataclass(frozen=True, slots=True)
class Person:
    """A person, as far as this phone may know them."""

    member: str
    """The member."""
    zh: str
    """The public name in Chinese."""
    en: str
    """The public name in English."""


@dataclass(frozen=True, slots=True)
class ContentField:
    """A field of the content, with its value in words."""

    field: str
    """The stable name."""
    zh_label: str
    """The field's name in Chinese."""
    en_label: str
    """The field's name in English."""
    value: FieldValue
    """The value."""
    zh: str
    """The value in Chinese words."""
    en: str
    """The value in English words."""


@dataclass(frozen=True, slots=True)
class Assignment:
    """A responsible unit or person, with deadlines and progress."""

    id: str
    """Names the assignment in moves."""
    unit: str | None
    """The responsible unit; absent for a person."""
    member: str | None
    """The responsible person; absent for a unit."""
    zh: str
    """Their name in Chinese."""
    en: str
    """Their name in English."""
    part: Word
    """Lead or support."""
    state: Word
    """The state of the assignment."""
    is_final: bool
    """Whether the district made the final assignment, so that it cannot be returned."""
    accept_by: datetime | None
    """The deadline for accepting it."""
    arrive_by: datetime | None
    """The deadline for arriving on site."""
    resolve_by: datetime | None
    """The deadline for resolving it."""
    dispatched_at: datetime
    """The time of the dispatch."""
    accepted_at: datetime | None
    """The time of acceptance."""
    arrived_at: datetime | None
    """The time of arrival on site."""
    resolved_at: datetime | None
    """The time of resolution."""


@dataclass(frozen=True, slots=True)
class ConflictVersion:
    """One of the values that people wrote into a field without knowing of each other."""

    value: FieldValue
    """The value, as `settle` takes it."""
    shown: bool
    """Whether the field shows it now."""
    zh: str
    """The value in Chinese words."""
    en: str
    """The value in English words."""


@dataclass(frozen=True, slots=True)
class ConflictCard:
    """A conflict that people have to settle."""

    field: str | None
    """The field for `settle`; absent if another move settles the conflict."""
    versions: tuple[ConflictVersion, ...]
    """The values of that field."""
    people: tuple[str, ...]
    """The people concerned, as far as this phone may know them."""
    zh: str
    """The sentence in Chinese."""
    en: str
    """The sentence in English."""


@dataclass(frozen=True, slots=True)
class SetAside:
    """A piece of own work that does not count, or not yet."""

    id: str
    """The envelope."""
    why: Word
    """The reason: a stable code such as `void.clone` or `held.revoked`, with its sentences."""
    words: str
    """The person's own words."""
    rewritten: str | None
    """The envelope that repeats the words, if this one was written again."""


@dataclass(frozen=True, slots=True)
class Comment:
    """A comment on a record."""

    id: str
    """The envelope."""
    by: str | None
    """The author; `None` if withheld from this phone."""
    zh_name: str
    """Their name in Chinese."""
    en_name: str
    """Their name in English."""
    text: str
    """The text of the comment."""
    mentions: tuple[str, ...]
    """Members mentioned by name."""
    attachments: tuple[str, ...]
    """The ids of photos and recordings of the comment."""
    at: datetime
    """The time."""
    delivered: bool
    """Whether the server has judged it."""


@dataclass(frozen=True, slots=True)
class RecordDetail:
    """The page of a record."""

    row: RecordRow
    """The record as lists show it."""
    zh_area: str
    """The record's place, from the district down, in Chinese."""
    en_area: str
    """The record's place, from the district down, in English."""
    fields: tuple[ContentField, ...]
    """The content."""
    reporter: Person | None
    """The reporter; `None` if withheld from this phone."""
    assignments: tuple[Assignment, ...]
    """The present and former responsible parties."""
    conflicts: tuple[ConflictCard, ...]
    """The conflicts that people have to settle."""
    set_aside: tuple[SetAside, ...]
    """Own work that does not count, or not yet."""
    comments: tuple[Comment, ...]
    """Comments, oldest first."""
    merged_into: str | None
    """The record that this one is a duplicate of."""
    linked: str | None
    """The record that this one belongs to."""
    urged: int
    """The number of times that the case was urged."""
    supervised: bool
    """Whether it is under supervision."""
    suspended: bool
    """Whether it is suspended."""
    suspended_until: datetime | None
    """The end of the suspension, if known."""


@dataclass(frozen=True, slots=True)
class TimelineItem:
    """One step in the story of a record."""

    id: str
    """The envelope."""
    by: str | None
    """The author; `None` if withheld from this phone."""
    zh_name: str
    """Their name in Chinese."""
    en_name: str
    """Their name in English."""
    movement: str | None
    """Code of the move; absent for the report itself and for edits."""
    zh: str
    """The step as one sentence in Chinese."""
    en: str
    """The step as one sentence in English."""
    note: str | None
    """The person's words beside the step."""
    attachments: tuple[str, ...]
    """The ids of photos and recordings of the step. For a case handled on the spot, those from before are first."""
    outcome: Word
    """The effect of the step."""
    why: Word | None
    """The reason why it does not count; `None` if it counts."""
    at: datetime
    """The effective time."""
    clock_at: datetime
    """The device's own clock."""
    delivered: bool
    """Whether the server has judged it."""


@dataclass(frozen=True, slots=True)
class StageCount:
    """The number of records in a stage."""

    stage: Word
    """The stage."""
    count: int
    """The number of records."""


@dataclass(frozen=True, slots=True)
class MapPoint:
    """A record on the map."""

    record: str
    """The record."""
    lat: float
    """Latitude, degrees WGS-84."""
    lon: float
    """Longitude, degrees WGS-84."""
    stage: str
    """Code of the stage."""
    severity: int
    """1 (general) to 4 (critical); 0 if the record has no severity yet."""


@dataclass(frozen=True, slots=True)
class MapPage:
    """The records in a window of the map."""

    points: tuple[MapPoint, ...]
    """The records, at most 5,000."""
    cut: bool
    """Whether the window has more records than the page; then the person zooms in."""
