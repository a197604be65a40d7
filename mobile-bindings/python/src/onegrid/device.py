"""One device: a folder, a vault, and the accounts of the members who share it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from onegrid import _ending, _ffi
from onegrid._border import call, lift, lift_all
from onegrid.accounts import Account, InvitationInfo, WayBack
from onegrid.phone import Phone
from onegrid.vault import VaultAdapter

if TYPE_CHECKING:
    from onegrid.vault import KeyVault

__all__ = ["Device", "check_invitation"]


def check_invitation(text: str) -> InvitationInfo:
    """Reads an invitation (QR text or typed code) without redeeming it.

    Raises `BadInputError`: `invitation.length`, `.character`, `.typo`, `.not_ours`.
    """
    return lift(InvitationInfo, call(_ffi.check_invitation, text))


class Device:
    """One device. Members who share it have files, keys and PINs of their own.

    A slot names an account on this device; a PIN has 4 to 32 characters.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        vault: KeyVault,
        *,
        tls_roots_pem: bytes | None = None,
        plain_http_allowed: bool = False,
    ) -> None:
        """Opens the folder of the program and its vault. Nothing is unlocked yet.

        `folder` belongs to OneGrid alone. It may lie in a backup, because its files are unreadable without the
        vault. `tls_roots_pem` holds the authorities that may certify the server's TLS key, for a deployment
        with its own; without it Mozilla's list applies. `plain_http_allowed` allows `http://` servers outside
        this device. It is for tests, never for real data.

        Raises `vault.storage` where the folder cannot be made or read.
        """
        config = _ffi.DeviceConfig(
            folder=os.path.abspath(folder),
            tls_roots_pem=tls_roots_pem,
            plain_http_allowed=plain_http_allowed,
        )
        self._raw: _ffi.Device = call(_ffi.open_device, config, VaultAdapter(vault))
        _ending.register(self)

    def accounts(self) -> tuple[Account, ...]:
        """Returns the accounts of this device, to choose from. It needs no PIN."""
        return lift_all(Account, call(self._raw.accounts))

    def add_account(self, name: str, pin: str | None = None) -> Account:
        """Adds an account for one more member. The member enrols later.

        `name` has 1 to 40 characters. Raises `vault.bad_name`, `vault.bad_pin`, `vault.accounts_full`, and the
        errors of the vault.
        """
        return lift(Account, call(self._raw.add_account, name, pin))

    def open_account(self, slot: str, pin: str | None = None) -> Phone:
        """Unlocks an account and opens its replica.

        If files are damaged or lost, it recovers the work, deletes nothing, and reports its steps in
        `Phone.way_back`.

        Raises `vault.no_account`, `vault.pin_needed`, `vault.wrong_pin`, `vault.pin_wait` (after five wrong
        PINs), `vault.key_gone` and `replica.wrong_key` (the way out of both is `start_over`), `vault.locked`,
        `replica.in_use`, `replica.disk_full`, `replica.newer_schema`.
        """
        return _phone(call(self._raw.open_account, slot, pin))

    def open_single(self) -> Phone:
        """Opens the only account of this device, which has no PIN, and makes it where there is none.

        Raises the errors of `open_account`, and `device.several_accounts` on a shared device.
        """
        return _phone(call(self._raw.open_single))

    def start_over(self, slot: str, pin: str | None = None) -> Phone:
        """Starts over after a lost key or a forgotten PIN.

        Sets the account aside with its files and makes an empty one of the same name, which the member enrols
        again. Nothing is deleted, and delivered work returns with the first sync.

        Raises `vault.no_account`, `vault.bad_pin`, and `replica.in_use` while the account is open.
        """
        return _phone(call(self._raw.start_over, slot, pin))

    def change_pin(self, slot: str, old: str | None, new: str | None) -> None:
        """Gives an account another PIN; `None` as `new` removes it.

        Raises `vault.pin_needed`, `vault.wrong_pin`, `vault.pin_wait`, `vault.bad_pin`.
        """
        call(self._raw.change_pin, slot, old, new)

    def wipe_account(
        self, slot: str, pin: str | None = None, *, discard_undelivered: bool = False
    ) -> None:
        """Deletes an account, its keys and its files. There is no way back.

        Unless `discard_undelivered` is set, it raises `phone.undelivered` while work is undelivered, and the
        errors of `open_account` if the replica cannot be read. Raises `replica.in_use` while the account is
        open.
        """
        call(self._raw.wipe_account, slot, pin, discard_undelivered)

    def _let_go(self) -> None:
        _ending.release(self._raw)


def _phone(opened: _ffi.Opened) -> Phone:
    return Phone(opened.phone, lift(WayBack, opened.way_back))
