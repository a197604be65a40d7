"""Sync: plans, reports, the status, and changes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from onegrid._ffi import SyncState
from onegrid.words import Word

__all__ = [
    "PlannedAmount",
    "RecordChanges",
    "SyncPlan",
    "SyncReport",
    "SyncState",
    "SyncStatus",
]


@dataclass(frozen=True, slots=True)
class PlannedAmount:
    """A number of things, and what they cost."""

    count: int
    """The number of things."""
    bytes: int
    """Their bytes on the line."""
    minutes: int | None
    """Minutes at the pace of the last exchanges, rounded up; `None` while the pace is unknown."""


@dataclass(frozen=True, slots=True)
class SyncPlan:
    """The cost of the next sync. Counts and bytes are estimates."""

    records: PlannedAmount
    """Everything without photos, both ways; the count is that of records that are new here."""
    open: PlannedAmount
    """The part that comes first, until every open case and visit is here, and every change."""
    changes: int
    """Changes of records that are here; a change of a record of two streams may count twice."""
    uploads: int
    """Envelopes that this phone sends."""
    photos: PlannedAmount
    """All photos and recordings of the records that come. A sync brings those that were asked for."""
    photos_open: PlannedAmount
    """Those of open cases and visits."""
    photos_wanted: PlannedAmount
    """Photos and recordings that were asked for."""
    photos_to_send: PlannedAmount
    """Photos and recordings that wait to be sent."""
    at_least: bool
    """Whether there is more than the server counts at once. Then every amount is the least one."""


@dataclass(frozen=True, slots=True)
class SyncReport:
    """The result of one sync."""

    equal: bool
    """Whether phone and server hold the same, as far as this member may read."""
    more: bool
    """Whether the budget ended before all data were exchanged."""
    pushed: int
    """Own envelopes that got a verdict."""
    pulled: int
    """Envelopes, packs and entries that were new here."""
    bytes_up: int
    """Bytes sent, bodies only."""
    bytes_down: int
    """Bytes received, bodies only."""
    round_trips: int
    """Requests that were answered."""
    incidents: tuple[Word, ...]
    """Incidents that should not have happened, with sentences."""
    closed: Word | None
    """The reason why the server accepted the delivered work and returned nothing, such as a revoked device."""


@dataclass(frozen=True, slots=True)
class SyncStatus:
    """The connection, for the line at the top of a program."""

    state: SyncState
    """The state of the connection."""
    reason: Word | None
    """The reason why the phone waits, or why the last sync returned nothing, with sentences."""
    pending: int
    """The number of envelopes here that no server has judged."""
    synced_at: datetime | None
    """The time when the last sync ended well."""
    retry_at: datetime | None
    """The time of the next automatic try."""
    pulled: int
    """Envelopes, packs and entries that the sync under way has brought so far."""
    bytes_up: int
    """Bytes that the sync under way has sent so far."""
    bytes_down: int
    """Bytes that the sync under way has received so far."""
    files_left: int
    """Photos and recordings that wait to be sent or were asked for."""
    bytes_left: int
    """Their bytes that are not transferred yet."""
    minutes_left: int | None
    """Minutes until they are transferred, rounded up; `None` while the pace is unknown."""


@dataclass(frozen=True, slots=True)
class RecordChanges:
    """Everything that changed since the last event."""

    records: tuple[str, ...]
    """The records, at most 1,000."""
    all: bool
    """Whether there were more; then the program reads the lists again."""
    directory: bool
    """Whether names, areas, units or categories changed."""
    notices: bool
    """Whether there are new notices."""
