"""The shared parts of the tests: a server for each test, and phones of its people."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(PACKAGE / "sample"))

from scenario import Forgetful  # noqa: E402
from testbed import Testbed  # noqa: E402

from onegrid import Device, Phone, Position  # noqa: E402

HERE = Position(30.31215, 120.11878, accuracy_m=8)
"""A place in a grid of the testbed's village."""

WAIT_S = 120
"""Longer than any step takes on a busy machine; only a test that fails waits for it."""


@pytest.fixture
def testbed() -> Iterator[Testbed]:
    """A server of its own."""
    with Testbed() as testbed:
        yield testbed


class People:
    """Makes phones, and shuts them after the test."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.vaults: dict[str, Forgetful] = {}
        self.devices: dict[str, Device] = {}
        self._phones: list[Phone] = []

    def device(self, name: str) -> Device:
        """A device with an empty vault; the same for the same name."""
        if name not in self.devices:
            self.vaults[name] = Forgetful()
            self.devices[name] = Device(self._folder / name, self.vaults[name])
        return self.devices[name]

    def fresh(self, name: str = "fresh") -> Phone:
        """A phone that is not enrolled."""
        phone = self.device(name).open_single()
        self._phones.append(phone)
        return phone

    def enrolled(self, testbed: Testbed, who: str) -> Phone:
        """A phone of this person that has synced once."""
        phone = self.fresh(who)
        phone.enrol(testbed.do("invite", who=who)["qr"], device_name=who)
        phone.sync_once()
        return phone

    def shut(self) -> None:
        """Shuts every phone."""
        for phone in self._phones:
            phone.shut()


@pytest.fixture
def people(tmp_path: Path) -> Iterator[People]:
    """Makes phones for a test."""
    people = People(tmp_path)
    yield people
    people.shut()


@pytest.fixture
def phone(people: People) -> Phone:
    """A phone that is not enrolled and has no server."""
    return people.fresh()


@pytest.fixture
def worker(people: People, testbed: Testbed) -> Phone:
    """The phone of a grid worker, synced once."""
    return people.enrolled(testbed, "grid-worker")
