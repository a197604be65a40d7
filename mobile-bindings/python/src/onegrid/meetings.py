"""Meetings: another phone near by, and files that pass between two phones."""

from __future__ import annotations

import abc
from dataclasses import dataclass
from datetime import datetime

from onegrid import _ffi, _raw
from onegrid._border import call, lift
from onegrid._ffi import MeetingSide

__all__ = [
    "BundleFile",
    "BytePipe",
    "Hotspot",
    "MeetingCodeInfo",
    "MeetingListener",
    "MeetingProgress",
    "MeetingReport",
    "MeetingService",
    "MeetingSide",
    "ParcelCounts",
    "ServiceText",
    "check_meeting_code",
]


@dataclass(frozen=True, slots=True)
class Hotspot:
    """A Wi-Fi network that a phone opens for a meeting."""

    name: str
    """Its name (SSID), 1 to 32 bytes."""
    password: str = ""
    """Its password, at most 63 bytes; empty for an open network."""


@dataclass(frozen=True, slots=True)
class MeetingCodeInfo:
    """The part of the code of a meeting that a program needs before it calls."""

    hotspot: Hotspot | None
    """The network to join first, if the other phone opened one."""
    addresses: tuple[str, ...]
    """The addresses of the other phone, each with its port."""


@dataclass(frozen=True, slots=True)
class ServiceText:
    """One line of the record of texts of a service."""

    key: str
    """The key."""
    value: str
    """The value."""


@dataclass(frozen=True, slots=True)
class MeetingService:
    """The announcement of a listening phone for DNS-SD. It tells no name."""

    kind: str
    """The type of the service, `_onegrid._tcp`."""
    name: str
    """The name of the instance, random for each listener."""
    port: int
    """The port."""
    txt: tuple[ServiceText, ...]
    """The record of texts."""


@dataclass(frozen=True, slots=True)
class MeetingReport:
    """The result of a meeting, or of an imported file."""

    member: str | None
    """The member of the other phone."""
    device: str
    """The other phone."""
    given: int
    """Envelopes that this phone handed over."""
    taken: int
    """Envelopes, packs and entries that were new here."""
    parcel_given: bool
    """Whether the other phone carries undelivered work to the server that its member may not read, sealed."""
    parcel_taken: bool
    """Whether this phone carries such a parcel of the other one now."""
    files_taken: int
    """Photos and recordings that were asked for and are now whole here."""
    bytes_up: int
    """Bytes sent."""
    bytes_down: int
    """Bytes received."""


@dataclass(frozen=True, slots=True)
class MeetingProgress:
    """How far the meeting under way has come; after it, its last state."""

    introduced: bool
    """Whether both phones have proved their keys."""
    given: int
    """Envelopes that this phone handed over so far."""
    taken: int
    """Envelopes, packs and entries that were new here so far."""
    bytes_up: int
    """Bytes sent so far."""
    bytes_down: int
    """Bytes received so far."""


@dataclass(frozen=True, slots=True)
class ParcelCounts:
    """Sealed parcels of other phones: those that this phone carries to the server, and the earlier ones."""

    carried: int
    """Parcels that wait for the next sync, at most 32."""
    bytes: int
    """Their bytes, at most 8 MiB."""
    oldest_at: datetime | None
    """The time when the oldest of them was received."""
    taken: int
    """Parcels that the server took, or had already from another phone."""
    refused: int
    """Parcels that the server refused. Their authors still have the work."""
    dropped: int
    """Parcels that were too old or too many before a sync. Their authors still have the work."""


@dataclass(frozen=True, slots=True)
class BundleFile:
    """A file for the phone that asked for it."""

    file: bytes
    """The bytes of the file. Only the phone that asked can open it."""
    member: str | None
    """The member of the phone that asked."""
    given: int
    """Envelopes in the file."""
    more: bool
    """Whether the file became full before everything was in it. The oldest records are left out."""


class BytePipe(abc.ABC):
    """A pipe of bytes to another phone. OneGrid calls it on threads of its own, and its methods may block.

    Any exception ends the meeting with `meeting.broken`.
    """

    @abc.abstractmethod
    def read(self, bytes_max: int) -> bytes:
        """Waits for bytes and returns at most `bytes_max`, or none when the other phone has closed the pipe."""

    @abc.abstractmethod
    def write(self, data: bytes) -> None:
        """Writes all of the bytes."""

    @abc.abstractmethod
    def shut(self) -> None:
        """Closes the pipe after the written bytes have left. A `read` or `write` of another thread then ends."""


class PipeAdapter(_ffi.BytePipe):
    """Puts a pipe of the program behind the core's interface. Every exception is caught."""

    def __init__(self, pipe: BytePipe) -> None:
        self._pipe = pipe

    def read(self, bytes_max: int) -> bytes:
        try:
            data = self._pipe.read(bytes_max)
        except BaseException as error:
            raise _raw.PipeError.Failed(type(error).__name__) from None
        if not isinstance(data, bytes):
            raise _raw.PipeError.Failed(f"read gave {type(data).__name__}, not bytes")
        return data

    def write(self, data: bytes) -> None:
        try:
            self._pipe.write(data)
        except BaseException as error:
            raise _raw.PipeError.Failed(type(error).__name__) from None

    def shut(self) -> None:
        try:
            self._pipe.shut()
        except BaseException as error:
            raise _raw.PipeError.Failed(type(error).__name__) from None


class MeetingListener:
    """Waits for other phones under one shown code, until it is dropped."""

    def __init__(self, raw: _ffi.MeetingListener) -> None:
        """Made by `Phone.listen_for_meeting`."""
        self._raw = raw

    def code(self, hotspot: Hotspot | None = None, *, addresses: tuple[str, ...] = ()) -> str:
        """Returns the text of the QR code.

        `addresses` are the addresses of this phone (IPv4) in that network, needed if it listens at `0.0.0.0`.
        Raises `meeting.cannot_listen` where this phone has no address in a local network.
        """
        raw = (
            None if hotspot is None else _ffi.Hotspot(name=hotspot.name, password=hotspot.password)
        )
        return call(self._raw.code, raw, list(addresses))

    def service(self) -> MeetingService:
        """Returns the announcement for DNS-SD."""
        return lift(MeetingService, call(self._raw.service))


def check_meeting_code(code: str) -> MeetingCodeInfo:
    """Reads the code of a meeting, so that a program can join its hotspot before it calls `Phone.meet`.

    Raises `meeting.bad_code`, `meeting.newer_code`.
    """
    return lift(MeetingCodeInfo, call(_ffi.check_meeting_code, code))
