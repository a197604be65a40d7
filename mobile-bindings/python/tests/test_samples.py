"""The samples run as their readers run them, and the README shows the very same code."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
from pathlib import Path

from conftest import PACKAGE, People
from testbed import Testbed

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
    printed = run(tmp_path, "quick_start.py", invitation).split()
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
