"""The samples run as their readers run them, and the README shows the very same code."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
from pathlib import Path

from conftest import HERE, PACKAGE, People
from testbed import Testbed

from onegrid import Device, FileVault

SAMPLE = PACKAGE / "sample"


def run(folder: Path, *arguments: str) -> str:
    """Runs a sample in a folder and returns what it printed."""
    done = subprocess.run(
        [sys.executable, SAMPLE / arguments[0], *arguments[1:]],
        cwd=folder,
        env=os.environ | {"MPLCONFIGDIR": str(folder / "matplotlib")},
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_readme_shows_the_quick_start() -> None:
    readme = (PACKAGE / "README.md").read_text(encoding="utf-8")
    code = (SAMPLE / "quick_start.py").read_text(encoding="utf-8")
    assert readme.count(f"```python\n{code}```") == 2, (
        "README.md shows sample/quick_start.py in both languages"
    )


def test_quick_start_ends_with_a_report_that_another_phone_sees(
    people: People, testbed: Testbed, tmp_path: Path
) -> None:
    invitation = testbed.do("invite", who="grid-worker")["qr"]
    planned, reported = run(tmp_path, "quick_start.py", invitation).splitlines()
    assert planned.startswith("0 records, ")
    printed = reported.split()
    assert printed[0] == "DELIVERED"
    other = people.enrolled(testbed, "community-officer")
    assert other.record(printed[1]).row.title == "Gas cylinders behind the noodle shop"
    # The second run needs no invitation.
    assert run(tmp_path, "quick_start.py").split()[0] == "DELIVERED"
    other.sync_once()
    assert other.count() == 2


def test_visit_is_made_and_its_finding_is_a_hazard(
    people: People, testbed: Testbed, tmp_path: Path
) -> None:
    invitation = testbed.do("invite", who="grid-worker")["qr"]
    lines = run(tmp_path, "visit.py", invitation).splitlines()
    assert any("There cannot be more charging than bikes" in line for line in lines)
    assert any("nothing was changed" in line for line in lines)
    standing, visit, hazard = lines[-1].split()
    assert standing == "DONE"
    other = people.enrolled(testbed, "community-officer")
    assert other.record(hazard).linked == visit
    assert "Does it switch off when full?" in other.record(hazard).row.title


def test_readme_shows_the_meeting() -> None:
    readme = (PACKAGE / "README.md").read_text(encoding="utf-8")
    code = (SAMPLE / "meeting.py").read_text(encoding="utf-8")
    part = code.split("# Meeting\n")[1].split("# End of meeting")[0].rstrip()
    assert f"```python\n{part}\n```" in readme


def test_two_phones_meet_by_a_code_and_by_a_file(testbed: Testbed, tmp_path: Path) -> None:
    for folder, who in [("worker", "grid-worker"), ("room", "dispatcher")]:
        run(tmp_path, "meeting.py", folder, "enrol", testbed.do("invite", who=who)["qr"])
    testbed.do("line", up=False)
    report_a_hazard(tmp_path / "worker", "Gas cylinders")
    shows = subprocess.Popen(
        [sys.executable, SAMPLE / "meeting.py", "worker", "show", "127.0.0.1"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        text=True,
    )
    with shows:
        assert shows.stdout is not None
        code = shows.stdout.readline().strip()
        scanned = run(tmp_path, "meeting.py", "room", "scan", code)
        assert "gave 1, took 0" in shows.stdout.read()
    assert shows.returncode == 0
    assert "gave 0, took 1" in scanned
    assert "Gas cylinders (provisional)" in scanned

    report_a_hazard(tmp_path / "worker", "A loose manhole cover")
    request = run(tmp_path, "meeting.py", "room", "ask").strip()
    answered = run(tmp_path, "meeting.py", "worker", "answer", request, "work.onegrid")
    assert "2 envelopes" in answered
    taken = run(tmp_path, "meeting.py", "room", "take", "work.onegrid")
    assert "gave 0, took 1" in taken
    assert "A loose manhole cover (provisional)" in taken


def report_a_hazard(folder: Path, title: str) -> None:
    """Writes a report on the phone of a sample, which has no network."""
    device = Device(folder / "data", FileVault(folder / "keys"))
    with device.open_single() as phone:
        phone.report("hazard", {"title": title, "category": "gas"}, position=HERE)


def test_week_is_worked_and_drawn(people: People, testbed: Testbed, tmp_path: Path) -> None:
    testbed.do("records", n=60)
    invitation = testbed.do("invite", who="grid-worker")["qr"]
    printed = run(tmp_path, "week.py", "--invitation", invitation)
    assert "10 recorded, 10 counted" in printed
    picture = (tmp_path / "week.png").read_bytes()
    assert picture.startswith(b"\x89PNG")
    width, height = struct.unpack(">II", picture[16:24])
    assert (width, height) == (1210, 770)
    other = people.enrolled(testbed, "community-officer")
    assert other.count() == 70
    # Entering the same notes again adds nothing. Without a network the sample reports it and draws.
    testbed.do("line", up=False)
    again = run(tmp_path, "week.py")
    assert "10 recorded, 10 counted" in again and "drawn" in again
