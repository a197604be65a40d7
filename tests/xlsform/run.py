"""Forms of our own through pyxform and through OneGrid, and every shipped template out and in again.

Usage: run.py ONEGRID FOLDER. Prints a line for each check, and `N passed, N failed` at the end.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import openpyxl
from pyxform.xls2xform import convert

from forms import FORMS, Form

SHIPPED = [
    "building_walk",
    "care_visit",
    "case_follow_up",
    "ebike_charging",
    "fire_lane",
    "rental_flat",
    "shop_gas_fire",
]


class Failure(Exception):
    """A check that did not hold."""


def onegrid(program: str, folder: Path, *args: str) -> subprocess.CompletedProcess[str]:
    env = {"ONEGRID_STORE__PATH": str(folder / "data"), "PATH": os.environ.get("PATH", "")}
    command = [program, "--lang", "en", *args]
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)


def succeed(program: str, folder: Path, *args: str) -> str:
    done = onegrid(program, folder, *args)
    if done.returncode != 0:
        raise Failure(f"onegrid {' '.join(args)}: {done.stdout}{done.stderr}")
    return done.stdout


def is_valid(path: Path) -> None:
    """Fails if pyxform refuses the workbook."""
    try:
        convert(path, validate=False)
    except Exception as error:
        raise Failure(f"pyxform refuses {path.name}: {error}") from error


def write(form: Form, path: Path) -> None:
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, rows in form.all_sheets().items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    book.save(path)


def check_form(form: Form, program: str, folder: Path) -> None:
    path = folder / f"{form.name}.xlsx"
    write(form, path)
    is_valid(path)
    done = onegrid(program, folder, "import", "templates", path.name, "--json")
    said = json.loads(done.stdout)
    report = [(b["sheet"], b["line"], b["column"], b["code"]) for b in said["bad"]]
    if sorted(map(str, report)) != sorted(map(str, form.report)):
        raise Failure(f"reported {report}, expected {form.report}")
    if any(not bad["reason"] or bad["reason"] == bad["code"] for bad in said["bad"]):
        raise Failure(f"a reason has no sentence: {said['bad']}")
    imported = 0 if form.report else 1
    if (done.returncode, said["changed"]) != (0 if imported else 3, imported):
        raise Failure(f"exit code {done.returncode}, {said}")
    if imported:
        check_export(form.name, program, folder, f"{form.name}-again.xlsx")


def check_export(template: str, program: str, folder: Path, name: str) -> None:
    """The exported workbook is valid, and importing it changes nothing."""
    succeed(program, folder, "export", "template", template, name)
    is_valid(folder / name)
    said = json.loads(succeed(program, folder, "import", "templates", name, "--json"))
    if (said["changed"], said["unchanged"]) != (0, 1):
        raise Failure(f"the exported workbook is another template: {said}")


def main() -> int:
    program, folder = sys.argv[1], Path(sys.argv[2])
    succeed(program, folder, "init", "--root-key", "root.key")
    checks = [(form.name, lambda form=form: check_form(form, program, folder)) for form in FORMS]
    for template in SHIPPED:
        name = f"{template}.xlsx"
        check = lambda template=template, name=name: check_export(template, program, folder, name)
        checks.append((f"shipped {template}", check))
    failed = 0
    for name, check in checks:
        try:
            check()
            print(f"   ok  {name}")
        except Failure as failure:
            failed += 1
            print(f"   FAILED  {name}: {failure}")
    print(f"{len(checks) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
