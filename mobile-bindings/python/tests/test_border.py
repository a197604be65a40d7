"""The hand-written layer against the generated code: it covers all of it, and values survive the way."""

from __future__ import annotations

import dataclasses
import inspect
import json
import pickle
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, get_type_hints

import pytest
from conftest import PACKAGE
from onegrid._ffi import onegrid_ffi as generated

import onegrid
from onegrid import Device, OneGridError, Phone, Query, RecordRow, _border, _ffi, errors

# Records that go in only, or whose parts this layer hands out one by one.
TAKEN_APART = {
    "AnswerChange", "DeviceConfig", "FieldChange", "FieldInput", "FindingDraft", "FormDraft", "GeoPosition",
    "LogLine", "MoveInput", "Opened", "ReportDraft", "SyncBudget",
}  # fmt: skip
PAGES = {"AreaPage", "FormPage", "PersonPage", "RecordPage", "TimelinePage", "UnitPage"}


def records() -> dict[str, Any]:
    """The generated records by name."""
    return {
        name: kind
        for name in generated.__all__
        if inspect.isclass(kind := getattr(generated, name))
        and hasattr(generated, f"_UniffiFfiConverterType{name}")
        and dataclasses.is_dataclass(kind)
    }


def test_every_record_has_a_dataclass_with_all_fields() -> None:
    found = records()
    assert len(found) > 30
    for name, kind in found.items():
        if name in TAKEN_APART | PAGES:
            continue
        ours = getattr(onegrid, name)
        hints = get_type_hints(ours)
        fields = {
            _border.raw_name(field.name, hints[field.name]) for field in dataclasses.fields(ours)
        }
        theirs = set(inspect.signature(kind.__init__).parameters) - {"self"}
        assert fields == theirs, name


def test_every_method_of_the_core_is_called_by_this_layer() -> None:
    sources = "".join(file.read_text() for file in Path(onegrid.__file__).parent.glob("*.py"))
    for kind in (_ffi.Phone, _ffi.Device):
        for name, _ in inspect.getmembers(kind, inspect.isfunction):
            if not name.startswith("_"):
                assert f"self._raw.{name}" in sources, f"{kind.__name__}.{name}"
    functions = [name for name, _ in inspect.getmembers(generated, inspect.isfunction)]
    for name in functions:
        if name in generated.__all__:
            assert f"_ffi.{name}" in sources, name


def test_every_kind_of_error_has_a_class() -> None:
    kinds = {value for value in vars(_ffi.OneGridError).values() if inspect.isclass(value)}
    assert kinds == set(errors.KINDS)


def test_error_carries_code_and_both_sentences(phone: Phone) -> None:
    with pytest.raises(onegrid.NotFoundError) as caught:
        phone.record("0" * 32)
    assert caught.value.code
    assert caught.value.en and caught.value.zh and caught.value.en != caught.value.zh
    assert str(caught.value).startswith(caught.value.code)
    again = pickle.loads(pickle.dumps(caught.value))
    assert (type(again), again.code) == (onegrid.NotFoundError, caught.value.code)


def test_codes_equal_the_one_table() -> None:
    table = (PACKAGE.parents[1] / "core/src/texts.tsv").read_text(encoding="utf-8").splitlines()
    rows = [line.split("\t") for line in table if line and not line.startswith("#")]
    assert sorted(onegrid.error_codes()) == sorted(row[0] for row in rows)
    for code, zh, en in rows:
        assert onegrid.sentence(code, onegrid.Language.ZH) == zh
        assert onegrid.sentence(code, onegrid.Language.EN) == en


@pytest.mark.parametrize(
    "time",
    [
        datetime(1970, 1, 1, tzinfo=UTC),
        datetime(1969, 12, 31, 23, 59, 59, 999000, tzinfo=UTC),
        datetime(2026, 11, 29, 8, 0, 0, 1000, tzinfo=UTC),
        datetime(9999, 12, 31, tzinfo=UTC),
    ],
)
def test_time_survives_the_border(time: datetime) -> None:
    ms = _border.ms_of(time)
    assert ms is not None
    assert _border.time_of(ms) == time


def test_time_beyond_the_calendar_becomes_the_nearest() -> None:
    assert _border.time_of(2**62).year == 9999
    assert _border.time_of(-(2**62)).year == 1


def test_time_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="zone"):
        _border.ms_of(datetime(2026, 11, 29))


def test_time_of_another_zone_is_the_same_moment() -> None:
    east = datetime.fromisoformat("2026-11-29T16:00:00+08:00")
    assert _border.ms_of(east) == _border.ms_of(datetime(2026, 11, 29, 8, tzinfo=UTC))


def test_durations_are_whole_milliseconds() -> None:
    assert _border.span_of(timedelta(seconds=1.5)) == 1500
    assert _border.span_of(None) is None


def test_dataclasses_are_frozen_and_compare(worker: Phone) -> None:
    first, second = worker.me(), worker.me()
    assert first == second
    with pytest.raises(dataclasses.FrozenInstanceError):
        first.member = "somebody"  # type: ignore[misc]


def test_every_public_name_is_documented() -> None:
    missing = []
    for name in onegrid.__all__:
        value = getattr(onegrid, name)
        if not inspect.isclass(value) and not inspect.isfunction(value):
            continue
        if not (value.__doc__ or "").strip():
            missing.append(name)
        for part, member in vars(value).items() if inspect.isclass(value) else ():
            if part.startswith("_") or not inspect.isfunction(member):
                continue
            if not (member.__doc__ or "").strip():
                missing.append(f"{name}.{part}")
    assert missing == []


def test_iterators_read_every_page(worker: Phone) -> None:
    from conftest import HERE

    made = {
        worker.report("hazard", {"title": f"{n}", "category": "gas"}, position=HERE)
        for n in range(7)
    }
    page = worker.list(rows=3)
    assert len(page) == 3 and page.next is not None
    seen: list[RecordRow] = list(page)
    while page.next is not None:
        page = worker.list(page=page.next, rows=3)
        seen += page
    assert {row.id for row in seen} == made and len(seen) == 7
    assert {row.id for row in worker.records(Query(mine=True))} == made
    assert worker.count(Query(mine=True)) == 7


def test_open_phone_at_the_end_of_a_program_is_shut(tmp_path: Path) -> None:
    program = (
        "import sys\n"
        "from onegrid import Device, FileVault\n"
        "phone = Device(sys.argv[1], FileVault(sys.argv[2])).open_single()\n"
        "subscription = phone.on_status(lambda status: None)\n"
        "print('open', flush=True)\n"
    )
    folders = [str(tmp_path / "data"), str(tmp_path / "keys")]
    arguments = [sys.executable, "-X", "faulthandler", "-c", program, *folders]
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=600, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "open\n", "")


def test_support_bundle_is_json_without_content(worker: Phone) -> None:
    from conftest import HERE

    worker.report("hazard", {"title": "煤气罐Zxq", "category": "gas"}, position=HERE)
    bundle = worker.support_bundle()
    assert json.loads(bundle)
    assert "煤气罐" not in bundle and "Zxq" not in bundle and "30.31" not in bundle


def test_handle_is_released_after_shut(tmp_path: Path) -> None:
    from scenario import Forgetful

    device = Device(tmp_path, Forgetful())
    for _ in range(3):
        with device.open_single() as phone:
            with pytest.raises(OneGridError):
                device.open_single()
            assert phone.count() == 0
