"""Notices, notifications and the tally of counted work."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

__all__ = [
    "Notice",
    "Notification",
    "Tally",
    "Uncounted",
]


@dataclass(frozen=True, slots=True)
class Notice:
    """News about the person's own words: they were refused, held, or written again. The program
    must show it."""

    no: int
    """The number of the notice, for `notices_seen`."""
    at: datetime
    """The time."""
    code: str
    """The stable code."""
    zh: str
    """The sentence in Chinese."""
    en: str
    """The sentence in English."""
    record: str | None
    """The record that it is about."""
    detail: str
    """The person's own words, if the notice is about some."""


@dataclass(frozen=True, slots=True)
class Notification:
    """A message that a phone should show for a new event. It holds no content, so a lock screen
    may show it."""

    no: int
    """The number of the notification, for `notifications_taken`."""
    at: datetime
    """The time."""
    code: str
    """The stable code."""
    zh: str
    """The sentence in Chinese."""
    en: str
    """The sentence in English."""
    record: str | None
    """The record that it is about."""


@dataclass(frozen=True, slots=True)
class Uncounted:
    """A piece of work that does not count, with the reason."""

    record: str
    """The record."""
    words: str
    """The person's own words."""
    code: str
    """The stable code of the reason."""
    zh: str
    """The reason in Chinese."""
    en: str
    """The reason in English."""


@dataclass(frozen=True, slots=True)
class Tally:
    """The member's work, and how much of it counts."""

    recorded: int
    """The number of recorded pieces of work."""
    counted: int
    """The number of pieces that the server accepted, so that they count."""
    waiting: int
    """The number of undelivered pieces."""
    held: int
    """The number of pieces that are held for review."""
    uncounted: tuple[Uncounted, ...]
    """The pieces that do not count, at most 200, newest first."""
    zh: str
    """“148 recorded, 148 counted” in Chinese."""
    en: str
    """“148 recorded, 148 counted” in English."""
