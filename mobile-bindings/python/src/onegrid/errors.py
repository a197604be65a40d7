"""The errors of OneGrid: one class for each kind, with a stable code and a sentence in Chinese and English.

The class decides the reaction of a program, the code names the case, and the sentence is for the person. It
names the problem, the work that was kept, and the next step.
"""

from __future__ import annotations

from typing import Any

from onegrid import _ffi, _raw

__all__ = [
    "BadInputError",
    "BugError",
    "BusyError",
    "CancelledError",
    "DeniedError",
    "NetworkError",
    "NewerAppError",
    "NotFoundError",
    "OneGridError",
    "StorageError",
    "VaultKeyError",
]


class OneGridError(Exception):
    """Every error that OneGrid raises. `str(error)` holds code and both sentences."""

    def __init__(self, code: str, zh: str, en: str) -> None:
        super().__init__(f"{code}: {zh} {en}")
        self.code: str = code
        """The stable code, `area.reason`, such as `vault.key_gone`."""
        self.zh: str = zh
        """The sentence in Chinese."""
        self.en: str = en
        """The sentence in English."""

    def say(self, language: _ffi.Language) -> str:
        """Returns the sentence in `language`."""
        return self.zh if language is _ffi.Language.ZH else self.en

    def __reduce__(self) -> tuple[type[OneGridError], tuple[str, str, str]]:
        return type(self), (self.code, self.zh, self.en)


class DeniedError(OneGridError):
    """The rules do not allow the call to this person here and now. Nothing was changed."""


class BadInputError(OneGridError, ValueError):
    """A value is missing, too long, malformed or not one that the field takes. Nothing was changed."""


class NotFoundError(OneGridError, LookupError):
    """The record, account or conflict is not on this device, or was removed."""


class VaultKeyError(OneGridError):
    """A key, the vault or the PIN prevents the call. No file was touched."""


class StorageError(OneGridError):
    """The storage is full, refuses, or is damaged. Saved work is kept."""


class NetworkError(OneGridError):
    """There is no network, or the server refuses or answers wrongly. Undelivered work is kept and sent later."""


class BusyError(OneGridError):
    """The account is open elsewhere, suspended, shut, or called from within a callback. Try again later."""


class NewerAppError(OneGridError):
    """A newer app wrote the data. They are kept, and an update of OneGrid reads them."""


class CancelledError(OneGridError):
    """`Phone.cancel` ended the call. Acknowledged work is kept."""


class BugError(OneGridError):
    """A defect of OneGrid. Saved work is kept; the support bundle helps to find the defect."""


KINDS: dict[type[Exception], type[OneGridError]] = {
    _raw.OneGridError.Denied: DeniedError,
    _raw.OneGridError.BadInput: BadInputError,
    _raw.OneGridError.NotFound: NotFoundError,
    _raw.OneGridError.Key: VaultKeyError,
    _raw.OneGridError.Storage: StorageError,
    _raw.OneGridError.Network: NetworkError,
    _raw.OneGridError.Busy: BusyError,
    _raw.OneGridError.NewerApp: NewerAppError,
    _raw.OneGridError.Cancelled: CancelledError,
    _raw.OneGridError.Bug: BugError,
}


def lifted(error: Any) -> OneGridError:
    """Returns the public error for one of the core."""
    return KINDS[type(error)](error.code, error.zh, error.en)


def of(kind: type[OneGridError], code: str) -> OneGridError:
    """Returns an error that this layer raises itself, with the sentences of the one table."""
    return kind(code, _ffi.sentence(code, _ffi.Language.ZH), _ffi.sentence(code, _ffi.Language.EN))
