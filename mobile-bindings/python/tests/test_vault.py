"""The vault of files."""

from __future__ import annotations

import stat
import subprocess
import sys
from pathlib import Path

import pytest

from onegrid import Device, FileVault


def test_secret_is_loaded_saved_replaced_and_removed(tmp_path: Path) -> None:
    vault = FileVault(tmp_path / "keys")
    assert vault.load("key") is None
    vault.save("key", b"first")
    vault.save("key", b"\x00second")
    assert FileVault(tmp_path / "keys").load("key") == b"\x00second"
    vault.remove("key")
    vault.remove("key")
    assert vault.load("key") is None


def test_secret_is_readable_by_its_owner_alone(tmp_path: Path) -> None:
    vault = FileVault(tmp_path / "keys")
    vault.save("key", b"secret")
    assert stat.S_IMODE((tmp_path / "keys").stat().st_mode) == 0o700
    (file,) = (tmp_path / "keys").iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


@pytest.mark.parametrize("name", ["", "..", "a/b", "../key", "A", "a" * 65, "a\x00", "密"])
def test_name_that_could_leave_the_folder_is_refused(tmp_path: Path, name: str) -> None:
    vault = FileVault(tmp_path / "keys")
    if name == "..":
        # Only letters, digits and three marks, with an ending: a file like any other.
        vault.save(name, b"secret")
        assert [file.name for file in (tmp_path / "keys").iterdir()] == ["...secret"]
        return
    with pytest.raises(ValueError, match="name of a secret"):
        vault.save(name, b"secret")


def test_interrupted_save_keeps_the_old_secret(tmp_path: Path) -> None:
    vault = FileVault(tmp_path)
    vault.save("key", b"old")
    (tmp_path / "key.secret.new").write_bytes(b"ne")
    assert vault.load("key") == b"old"
    vault.save("key", b"new")
    assert vault.load("key") == b"new"


def test_account_opens_in_the_next_process(tmp_path: Path) -> None:
    with Device(tmp_path / "data", FileVault(tmp_path / "keys")).open_single() as phone:
        device = phone.me().device
    program = (
        "import sys\n"
        "from onegrid import Device, FileVault\n"
        "with Device(sys.argv[1], FileVault(sys.argv[2])).open_single() as phone:\n"
        "    print(phone.me().device)\n"
    )
    arguments = [sys.executable, "-c", program, str(tmp_path / "data"), str(tmp_path / "keys")]
    assert (
        subprocess.run(arguments, capture_output=True, text=True, check=True).stdout
        == f"{device}\n"
    )
