"""Values that a person enters: positions, contents of fields, and questions to lists."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeAlias

from onegrid import _ffi, _raw
from onegrid._border import ms_of
from onegrid._ffi import AssignedTo, Datum, Order

__all__ = ["AssignedTo", "Datum", "FieldValue", "MapWindow", "Near", "Order", "Position", "Query"]


@dataclass(frozen=True, slots=True)
class Position:
    """A place, with its accuracy."""

    lat: float
    """Latitude in degrees, -90 to 90."""
    lon: float
    """Longitude in degrees, -180 to 180."""
    datum: Datum = Datum.WGS84
    """The reference system of both; maps of mainland China use `Datum.GCJ02`, Baidu's use `Datum.BD09`."""
    accuracy_m: int | None = None
    """The radius that the device claims, in metres, at most 100,000. Above 50 m the person confirms the grid."""
    fix_age_ms: int = 0
    """The age of the fix at its use, in milliseconds, at most one day."""

    def _lower(self) -> _ffi.GeoPosition:
        return _ffi.GeoPosition(
            lat=self.lat,
            lon=self.lon,
            datum=self.datum,
            accuracy_m=self.accuracy_m,
            fix_age_ms=self.fix_age_ms,
        )


FieldValue: TypeAlias = str | int | bool | Position
"""The content of a field: a text, a whole number (the field defines its unit), a flag, or a place."""


def lower_value(value: FieldValue) -> Any:
    """Returns the core's form of the content of a field."""
    # A bool is an int as well, so the test for it comes first.
    if isinstance(value, bool):
        return _raw.FieldValue.FLAG(value)
    if isinstance(value, int):
        return _raw.FieldValue.NUMBER(value)
    if isinstance(value, Position):
        return _raw.FieldValue.POSITION(value._lower())
    if isinstance(value, str):
        return _raw.FieldValue.TEXT(value)
    raise TypeError(f"a field takes str, int, bool or Position, not {type(value).__name__}")


@dataclass(frozen=True, slots=True)
class Near:
    """Records within a distance of a place."""

    position: Position
    """The centre."""
    radius_m: int
    """The radius, in metres, at most 100,000."""

    def _lower(self) -> _ffi.Near:
        return _ffi.Near(position=self.position._lower(), radius_m=self.radius_m)


@dataclass(frozen=True, slots=True)
class MapWindow:
    """A window of the map in degrees WGS-84, edges included."""

    south: float
    """Southern edge."""
    west: float
    """Western edge."""
    north: float
    """Northern edge."""
    east: float
    """Eastern edge."""

    def _lower(self) -> _ffi.MapWindow:
        return _ffi.MapWindow(south=self.south, west=self.west, north=self.north, east=self.east)


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """The conditions of a list. A record must meet every condition that is set; `Query()` means all records."""

    kinds: Sequence[str] = ()
    """Codes of kinds: `hazard`, `tip`, `request`, `dispute`, `visit`, `task`, `patrol`, `place`, `notice`, `shift`,
    `whistle`, `note`, `reward`. Empty means any."""
    stages: Sequence[str] = ()
    """Codes of stages, such as `dispatched`. Empty means any."""
    open: bool | None = None
    """`True`: work on it remains. `False`: it is finished."""
    category: str | None = None
    """Code of the category."""
    area: str | None = None
    """The home or responsible area, or an area above it."""
    mine: bool = False
    """Made by this member."""
    assigned: AssignedTo | None = None
    """Has an open assignment to this member, or to the member's units."""
    undelivered: bool = False
    """A part of it has not reached the server."""
    in_conflict: bool = False
    """Has a conflict that people have to settle."""
    due_before: datetime | None = None
    """A deadline ends before this time."""
    overdue: bool = False
    """A deadline has passed."""
    near: Near | None = None
    """Within a distance of a place."""
    order: Order | None = None
    """The order; without it the newest change comes first."""

    def _lower(self) -> _ffi.Query:
        return _ffi.Query(
            kinds=list(self.kinds),
            stages=list(self.stages),
            open=self.open,
            category=self.category,
            area=self.area,
            mine=self.mine,
            assigned=self.assigned,
            undelivered=self.undelivered,
            in_conflict=self.in_conflict,
            due_before_ms=ms_of(self.due_before),
            overdue=self.overdue,
            near=None if self.near is None else self.near._lower(),
            order=self.order,
        )


def seconds_of(timeout: float | timedelta | None) -> float | None:
    """Returns a timeout in seconds, as the standard library takes it."""
    return timeout.total_seconds() if isinstance(timeout, timedelta) else timeout
