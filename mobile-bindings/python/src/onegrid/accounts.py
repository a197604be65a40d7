"""Accounts of one device, and the signed-in member."""

from __future__ import annotations

from dataclasses import dataclass

from onegrid._ffi import WayBackKind
from onegrid.words import Word

__all__ = [
    "Account",
    "InvitationInfo",
    "Me",
    "RoleGrant",
    "WayBack",
    "WayBackKind",
]


@dataclass(frozen=True, slots=True)
class Account:
    """One member's account on this device."""

    slot: str
    """Names the account on this device."""
    name: str
    """The name to choose the account by, as given to `add_account`."""
    has_pin: bool
    """Whether the account has a PIN."""


@dataclass(frozen=True, slots=True)
class WayBack:
    """The steps that opening a replica took, and the files that it set aside. No file is ever deleted."""

    kind: WayBackKind
    """The kind of step."""
    set_aside: tuple[str, ...]
    """Files that were set aside, absolute."""
    rows_kept: int
    """Rows that a rescue read and kept; 0 without a rescue."""
    incomplete: bool
    """Whether a part of a damaged file was unreadable. The next sync brings the delivered work
    back."""
    zh: str
    """The sentence for the person in Chinese; empty if no step needs one."""
    en: str
    """The sentence in English."""


@dataclass(frozen=True, slots=True)
class InvitationInfo:
    """An invitation before it is redeemed."""

    server: str | None
    """The server's address, which a QR code carries; absent in a typed code."""


@dataclass(frozen=True, slots=True)
class RoleGrant:
    """A role in an area, zone or unit."""

    id: str
    """Names the role in `act_as`: `<role>@<id of the area, zone or unit>`."""
    role: Word
    """The role."""
    zh: str
    """The place or unit in Chinese."""
    en: str
    """The place or unit in English."""
    unit: str | None
    """The unit of a role in a unit."""
    area: str | None
    """The area of a role in an area."""


@dataclass(frozen=True, slots=True)
class Me:
    """The member and the device of a phone."""

    enrolled: bool
    """Whether the phone is enrolled. Before that only `device` is filled in."""
    member: str | None
    """The member."""
    device: str
    """The device; an administrator revokes it by this id."""
    zh: str
    """The public name in Chinese; empty until the directory arrives."""
    en: str
    """The public name in English."""
    roles: tuple[RoleGrant, ...]
    """The roles that the member holds."""
    acting_as: str | None
    """The role that `act_as` chose."""
    server: str | None
    """The server's address."""
