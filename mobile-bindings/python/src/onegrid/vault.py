"""Safe places for the keys of a device."""

from __future__ import annotations

import abc
import contextlib
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from onegrid import _ffi, _raw

__all__ = ["FileVault", "KeyGoneError", "KeyVault", "VaultLockedError"]

T = TypeVar("T")


class KeyGoneError(Exception):
    """A vault raises this when the key that protects its secrets is gone for good.

    OneGrid then raises `VaultKeyError` with code `vault.key_gone`, and `Device.start_over` is the way out.
    """


class VaultLockedError(Exception):
    """A vault raises this while the device has not been unlocked since it started. The same call works later."""


class KeyVault(abc.ABC):
    """A safe place for small secrets, outside every backup.

    A program on a desktop may use `FileVault`; a program with a key store of its own implements these three
    methods. OneGrid calls them on a thread of its own, one call at a time, and a call that takes longer than
    10 s counts as failed. A method must not call OneGrid: such a call raises `BusyError` with code
    `phone.called_back_in`. Any exception other than `KeyGoneError` and `VaultLockedError` becomes
    `VaultKeyError` with code `vault.failed`.

    Names are 1 to 64 characters out of `a-z 0-9 . _ -`; a secret has at most 4,096 bytes.
    """

    @abc.abstractmethod
    def load(self, name: str) -> bytes | None:
        """Returns the secret under `name`, or `None`."""

    @abc.abstractmethod
    def save(self, name: str, secret: bytes) -> None:
        """Stores a secret in place of an older one, as a whole. It survives a power cut once this returns."""

    @abc.abstractmethod
    def remove(self, name: str) -> None:
        """Removes a secret. A name without a secret is no error."""


class FileVault(KeyVault):
    """Keeps secrets as files that only their owner may read.

    The secrets are as safe as the folder: a reader of it can open the accounts. Keep it out of backups and
    on another disk or user account than the data where possible.
    """

    _NAME = re.compile(r"[a-z0-9._-]{1,64}")

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        """Uses `folder`, which is made with mode 0700 if it is absent. Raises `OSError` where that fails."""
        self._folder = Path(folder)
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def load(self, name: str) -> bytes | None:
        """Returns the secret under `name`, or `None`."""
        try:
            return self._path(name).read_bytes()
        except FileNotFoundError:
            return None

    def save(self, name: str, secret: bytes) -> None:
        """Writes a secret beside the old one, flushes it to the disk, and puts it in the old one's place."""
        path = self._path(name)
        draft = path.with_name(path.name + ".new")
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(secret)
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, path)
        self._flush_folder()

    def remove(self, name: str) -> None:
        """Removes a secret. A name without a secret is no error."""
        with contextlib.suppress(FileNotFoundError):
            self._path(name).unlink()
            self._flush_folder()

    def _path(self, name: str) -> Path:
        if not self._NAME.fullmatch(name):
            raise ValueError("a name of a secret has 1 to 64 characters out of a-z 0-9 . _ -")
        # The ending keeps `.` and `..` from being folders, and a draft from being a secret.
        return self._folder / f"{name}.secret"

    def _flush_folder(self) -> None:
        if os.name == "nt":
            return  # Windows flushes a rename with the file.
        handle = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


class VaultAdapter(_ffi.KeyVault):
    """Puts a vault of the program behind the core's interface.

    Every exception is caught, `SystemExit` and `KeyboardInterrupt` included: the core reads the answer of a
    call, and there would be none.
    """

    def __init__(self, vault: KeyVault) -> None:
        self._vault = vault

    def load(self, name: str) -> bytes | None:
        secret = guarded(self._vault.load, name)
        if secret is not None and not isinstance(secret, bytes):
            raise _raw.VaultError.Failed(f"load gave {type(secret).__name__}, not bytes")
        return secret

    def save(self, name: str, secret: bytes) -> None:
        guarded(self._vault.save, name, secret)

    def remove(self, name: str) -> None:
        guarded(self._vault.remove, name)


def guarded(method: Callable[..., T], *args: object) -> T:
    """Calls a method of the program's vault and turns what it raises into the core's error."""
    try:
        return method(*args)
    except KeyGoneError:
        raise _raw.VaultError.KeyGone from None
    except VaultLockedError:
        raise _raw.VaultError.Locked from None
    except BaseException as error:
        # Only the class is logged, because the text of an exception may hold a path or a name.
        raise _raw.VaultError.Failed(type(error).__name__) from None
