"""The parts of the directory that a program asks for: places, areas, units, people and categories."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = [
    "Area",
    "Category",
    "Located",
    "PlaceChoice",
    "Unit",
]


@dataclass(frozen=True, slots=True)
class PlaceChoice:
    """A place that a position may belong to."""

    area: str
    """The grid, or a village without grids."""
    zh: str
    """Its name with the names of the areas above it, in Chinese."""
    en: str
    """Its name with the names of the areas above it, in English."""
    distance_m: int
    """Distance from the position, metres; 0 if the place contains the position."""


@dataclass(frozen=True, slots=True)
class Located:
    """The places that a position may belong to."""

    grid: PlaceChoice | None
    """The grid that contains the position."""
    candidates: tuple[PlaceChoice, ...]
    """Grids within the radius of the position, nearest first, at most 16."""
    needs_confirmation: bool
    """Whether the person has to choose, because the accuracy is worse than 50 m or the position is
    in no grid."""


@dataclass(frozen=True, slots=True)
class Area:
    """An area."""

    id: str
    """The area."""
    level: str
    """`district`, `town`, `village` or `grid`."""
    code: str
    """The statistical code."""
    zh: str
    """The name in Chinese."""
    en: str
    """The name in English."""


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit or team that can be dispatched."""

    id: str
    """The unit."""
    zh: str
    """The name in Chinese."""
    en: str
    """The name in English."""
    kind: str
    """Code of the kind of unit, such as `police_station` or `team`."""


@dataclass(frozen=True, slots=True)
class Category:
    """A category of cases."""

    code: str
    """The stable code."""
    zh: str
    """The name in Chinese."""
    en: str
    """The name in English."""
    class_: str | None
    """Code of its class; `None` for a class itself."""
