"""Every shared scenario, played against a real server."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import PACKAGE
from scenario import Player, StepError, compares, expect

from onegrid import _ffi

FILES = sorted((PACKAGE.parent / "scenarios").glob("*.json"))


def test_scenarios_are_found() -> None:
    assert len(FILES) >= 12


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_scenario_plays(file: Path) -> None:
    scenario = json.loads(file.read_text(encoding="utf-8"))
    assert scenario["name"] == file.stem
    player = Player()
    try:
        player.play(scenario)
    finally:
        player.close()


def test_wrong_step_is_named_with_its_number() -> None:
    player = Player()
    try:
        with pytest.raises(StepError, match="made_up, step 2"):
            player.play(
                {
                    "name": "made_up",
                    "steps": [{"say": "…"}, {"testbed": "server_counts", "is": {"records": 1}}],
                }
            )
    finally:
        player.close()


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        (3, {"at_least": 3}),
        ("abc", {"contains": "b"}),
        ([1, {"a": 2}], {"contains": {"a": 2}}),
        ({"a": 1, "b": 2}, {"a": 1}),
        ({"a": 1}, {"a": 1, "b": None}),
        ([1, 2], [1, 2]),
    ],
)
def test_comparison_accepts(value: object, wanted: object) -> None:
    expect(value, wanted)


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        (2, {"at_least": 3}),
        ("abc", {"contains": "d"}),
        ([1], {"contains": 2}),
        ({"a": 2}, {"a": 1}),
        ({}, {"b": 2}),
        ([1, 2], [2, 1]),
        ([1], [1, 2]),
        (True, 1),
        (None, False),
    ],
)
def test_comparison_refuses(value: object, wanted: object) -> None:
    assert not compares(value, wanted)


def crossed(kind: Any, wrong: str) -> Callable[..., object]:
    """A method that does another one's work."""
    return lambda self, *arguments: getattr(kind, wrong)(self, *arguments)


CHANGE_PIN = _ffi.Device.change_pin

MISWIRED: dict[str, tuple[Any, str, Callable[..., object]]] = {
    "gas_cylinders": (_ffi.Phone, "opened", lambda self, record: False),
    "lost_key": (_ffi.Device, "start_over", lambda self, slot, pin: self.open_account(slot, pin)),
    "first_sync_on_a_bad_line": (_ffi.Phone, "count", lambda self, query: self.undelivered()),
    "photos_before_and_after": (_ffi.Phone, "want_attachment", lambda self, record, id: None),
    "shared_device": (
        _ffi.Device,
        "change_pin",
        lambda self, slot, old, new: CHANGE_PIN(self, slot, new, old),
    ),
    "suspend_in_a_sync": (_ffi.Phone, "suspend", crossed(_ffi.Phone, "cancel")),
    "two_people_one_visit": (_ffi.Phone, "answer", lambda self, record, changes: record),
    "two_phones_one_hazard": (_ffi.Phone, "undo_settle", lambda self, record, envelope: envelope),
}
"""For a scenario, a method of the core and its miswired replacement."""


@pytest.mark.parametrize("name", MISWIRED)
def test_miswired_method_fails_a_scenario(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    kind, method, wrong = MISWIRED[name]
    monkeypatch.setattr(kind, method, wrong)
    scenario = json.loads((PACKAGE.parent / f"scenarios/{name}.json").read_text(encoding="utf-8"))
    player = Player()
    try:
        with pytest.raises(StepError, match=name):
            player.play(scenario)
    finally:
        monkeypatch.undo()
        player.close()
