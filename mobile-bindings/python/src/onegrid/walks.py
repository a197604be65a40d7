"""Walks: codes to join by, the way of each phone, checkpoints, and the coverage of a section."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from onegrid import _ffi
from onegrid._border import call, lift, ms_of
from onegrid.inputs import Position
from onegrid.words import Word

__all__ = [
    "ScannedCheckpoint",
    "SectionCheckpoint",
    "SectionTarget",
    "TrackAdded",
    "WalkCalls",
    "WalkCoverage",
    "WalkDetail",
    "WalkPass",
    "WalkScan",
    "WalkSection",
    "WalkShortfall",
    "Walker",
    "WayPoint",
]


@dataclass(frozen=True, slots=True)
class WayPoint:
    """A point of the way of a phone."""

    at: datetime
    """The clock of the phone. Points are stored by the second."""
    position: Position
    """The place. The age of its fix has no effect."""
    after_gap: bool = False
    """Whether the phone did not record before this point."""

    def _lower(self) -> _ffi.WayPoint:
        at_ms = ms_of(self.at)
        assert at_ms is not None
        return _ffi.WayPoint(at_ms=at_ms, position=self.position._lower(), after_gap=self.after_gap)


@dataclass(frozen=True, slots=True)
class TrackAdded:
    """The part of a batch of points that was written."""

    envelope: str
    """The envelope."""
    left_out: int
    """The number of points that are no part of the walk, so they were not written."""


@dataclass(frozen=True, slots=True)
class ScannedCheckpoint:
    """A checkpoint whose code was scanned."""

    section: str
    """The section."""
    number: int
    """The number in the section."""


@dataclass(frozen=True, slots=True)
class SectionCheckpoint:
    """A checkpoint of a section."""

    number: int
    """The number, unique in the section."""
    position: Position
    """The place."""
    name: str
    """The name for people."""

    def _lower(self) -> _ffi.SectionCheckpoint:
        return _ffi.SectionCheckpoint(
            number=self.number, position=self.position._lower(), name=self.name
        )


@dataclass(frozen=True, slots=True)
class SectionTarget:
    """Passes that a section needs in a window of the day in China."""

    from_minute: int
    """The first minute of the window, 0 to 1,439."""
    to_minute: int
    """The minute after the window, at most 1,440."""
    wanted: int
    """The number of passes, at least 1."""
    per_hour: bool = False
    """Whether that is the number of each hour; otherwise the number of the whole window."""

    def _lower(self) -> _ffi.SectionTarget:
        return _ffi.SectionTarget(
            from_minute=self.from_minute,
            to_minute=self.to_minute,
            wanted=self.wanted,
            per_hour=self.per_hour,
        )


@dataclass(frozen=True, slots=True)
class WalkSection:
    """A section with the checkpoints and targets that the program knows."""

    id: str
    """The id, as records carry it: lower-case letters, digits, `-` and `_`."""
    line: Sequence[Position] = ()
    """The points of its line in order; empty for a section of checkpoints alone."""
    checkpoints: Sequence[SectionCheckpoint] = ()
    """The checkpoints."""
    targets: Sequence[SectionTarget] = ()
    """The targets."""

    def _lower(self) -> _ffi.WalkSection:
        return _ffi.WalkSection(
            id=self.id,
            line=[point._lower() for point in self.line],
            checkpoints=[one._lower() for one in self.checkpoints],
            targets=[one._lower() for one in self.targets],
        )


@dataclass(frozen=True, slots=True)
class WalkScan:
    """A scan of a checkpoint."""

    at: datetime
    """The clock of the phone."""
    checkpoint: int | None
    """The number of the checkpoint; `None` in a damaged entry."""
    refused: Word | None
    """The reason why it does not count; `None` where it counts, or where no section was given."""


@dataclass(frozen=True, slots=True)
class Walker:
    """A phone of a walk."""

    device: str
    """The part of the device's id that its entries carry, in hexadecimal digits."""
    own: bool
    """Whether it is this phone."""
    is_lead: bool
    """Whether it is the phone that opened the walk."""
    refused: Word | None
    """The reason why its way does not count; `None` where it counts."""
    points: int
    """The number of points of the way."""
    outside: int
    """The number of points from before the opening, or after the end or the leaving."""
    scan_count: int
    """The number of scans."""
    from_at: datetime | None
    """The first point."""
    to_at: datetime | None
    """The last point."""
    metres: int
    """The length outside the gaps, in metres. No rule reads it."""
    left_at: datetime | None
    """When the person left before the end."""
    ended_at: datetime | None
    """When this phone ended the walk."""
    unreadable: int
    """The number of entries that this version cannot read."""
    withheld: bool
    """Whether the places are not shown to this person. Then `way` and `scans` are empty."""
    way: tuple[WayPoint, ...]
    """The points of the way, by time."""
    scans: tuple[WalkScan, ...]
    """The scans, by time."""


@dataclass(frozen=True, slots=True)
class WalkDetail:
    """The walk of a record."""

    record: str
    """The record."""
    linked: str | None
    """The record of the same walk that this one belongs to."""
    section: str | None
    """The section."""
    opened_at: datetime
    """The opening."""
    ended_at: datetime | None
    """The latest end that a person of the walk set."""
    abandoned: bool
    """Whether it was abandoned, so it makes no pass."""
    walkers: tuple[Walker, ...]
    """The phones, the lead first."""


@dataclass(frozen=True, slots=True)
class WalkPass:
    """A pass of a section."""

    at: datetime
    """When it was complete."""
    records: tuple[str, ...]
    """The records that made it together."""


@dataclass(frozen=True, slots=True)
class WalkShortfall:
    """A window with fewer passes than wanted."""

    from_at: datetime
    """The beginning."""
    to_at: datetime
    """The end."""
    wanted: int
    """The passes wanted."""
    found: int
    """The passes found."""


@dataclass(frozen=True, slots=True)
class WalkCoverage:
    """The coverage of a section on a day in China."""

    hours: tuple[int, ...]
    """The passes of each hour, from 0 to 23 h."""
    passes: tuple[WalkPass, ...]
    """The passes of the day, by time."""
    shortfalls: tuple[WalkShortfall, ...]
    """The windows of the targets that lack passes."""


class WalkCalls:
    """The methods of a phone for patrols; `Phone` has them all."""

    _raw: _ffi.Phone

    def join_code(self, record: str, *, minutes: int = 10) -> str:
        """Returns the text of a QR code that takes people into a patrol for 1 to 60 minutes.

        Only the phone that opened the patrol shows one. Neither phone needs a network.
        Raises `join.not_lead`, `join.closed`, `join.minutes`, `join.too_large`, `replica.no_record`.
        """
        return call(self._raw.join_code, record, minutes)

    def join_by_code(self, code: str) -> str:
        """Joins the patrol of a scanned code and returns its record.

        A code that is expired, used or of another district changes nothing.
        Raises `join.*`, `case.not_now` if this phone joined before, `may.not_readable`.
        """
        return call(self._raw.join_by_code, code)

    def add_track(self, record: str, points: Sequence[WayPoint]) -> TrackAdded:
        """Adds points to the way of this phone, by time.

        Points that are no part of the walk are left out and counted. Raises `track.outside` if all points are
        from another time, `track.empty`, `track.order`, `track.too_long`, `position.*`, `join.closed`,
        `replica.no_record`, `may.*`.
        """
        return lift(
            TrackAdded, call(self._raw.add_track, record, [point._lower() for point in points])
        )

    def scan_checkpoint(
        self, record: str, code: str, position: Position | None = None
    ) -> ScannedCheckpoint:
        """Keeps a scan of a printed checkpoint with the position of the phone.

        Raises `checkpoint.*` if the code was not printed for this district, and then nothing is written;
        `position.*`, `join.closed`, `replica.no_record`, `may.*`.
        """
        lowered = None if position is None else position._lower()
        return lift(ScannedCheckpoint, call(self._raw.scan_checkpoint, record, code, lowered))

    def leave_walk(self, record: str) -> str:
        """Notes that the person leaves the patrol before its end, and returns the envelope.

        Raises `join.closed`, `replica.no_record`, `may.*`.
        """
        return call(self._raw.leave_walk, record)

    def walk(self, record: str, section: WalkSection | None = None) -> WalkDetail:
        """Returns the walk of a patrol. The section says which scans count.

        The places of other phones are for the team, for the people who walk along, and for the heads of the
        place; other people get times and lengths. Raises `replica.no_record`, `join.closed` for a record of
        another kind, `section.*`, `position.*`.
        """
        lowered = None if section is None else section._lower()
        return lift(WalkDetail, call(self._raw.walk, record, lowered))

    def coverage(self, section: WalkSection, records: Sequence[str], day: date) -> WalkCoverage:
        """Returns the coverage of a section on a day in China by these patrols.

        Records that are not on this phone are left out. Raises `section.*`, `position.*`.
        """
        lowered = section._lower()
        return lift(WalkCoverage, call(self._raw.coverage, lowered, list(records), day.isoformat()))
