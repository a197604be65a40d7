"""Moves: the actions on a record that are possible now."""

from __future__ import annotations

from dataclasses import dataclass

from onegrid._ffi import NeedKind
from onegrid.words import Word

__all__ = [
    "MoveOption",
    "Need",
    "NeedKind",
]


@dataclass(frozen=True, slots=True)
class Need:
    """An input that a move takes."""

    input: Word
    """The argument of `Phone.act`: `text`, `to_unit`, `to_member`, `to_area`, `part`, `deadlines` (the three
    arguments `accept_by`, `arrive_by` and `resolve_by`), `until`, `category`, `severity`, `grid`, `into`,
    `satisfied`, `before`, `after`, `attachments`, `mentions`, `assignment`, `request`, `behalf_reason`,
    `reason`."""
    kind: NeedKind
    """Whether the move needs it."""


@dataclass(frozen=True, slots=True)
class MoveOption:
    """A move on a record, and whether this person may make it now."""

    movement: Word
    """The move."""
    assignment: str | None
    """The assignment that the move is about."""
    request: str | None
    """The request for more time that the move is about."""
    allowed: bool
    """Whether the move is allowed now."""
    why: Word | None
    """The reason why the move is not allowed, with a sentence in both languages."""
    role: Word | None
    """The role of the person for this move."""
    on_behalf: bool
    """Whether the person can make the move on behalf of the responsible party, with a reason."""
    needs: tuple[Need, ...]
    """The arguments that the move takes."""
    reasons: tuple[Word, ...]
    """The reasons to choose from, for the argument `reason`."""
