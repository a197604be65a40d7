"""A week of a grid worker: notes on paper become reports, the server's work comes in, and a picture sums it up.

    python week.py --invitation 'ONEGRID1:…' --notes week.csv --picture week.png

The notes are a table with the columns of `week.csv`. The first run enrols; later ones need no invitation. A row that
was entered before is not entered again.
"""

from __future__ import annotations

import argparse
import csv
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import matplotlib

matplotlib.use("Agg")  # Draws into a file; no screen is needed.

from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from onegrid import (
    Device,
    FileVault,
    Language,
    NetworkError,
    OneGridError,
    Phone,
    Position,
    Query,
    RecordRow,
)

DAYS = 7
SEVERITIES = {1: "general", 2: "elevated", 3: "serious", 4: "critical"}
COLOURS = ("#8da0b8", "#e9c46a", "#e76f51", "#b3261e")


def main() -> None:
    """Works the week that the arguments describe."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", default="onegrid-data", help="folder of the encrypted replica")
    parser.add_argument("--keys", default="onegrid-keys", help="folder of the keys")
    parser.add_argument("--invitation", help="text of a QR code, or a typed code with --server")
    parser.add_argument("--server", help="address, for a typed code")
    parser.add_argument("--notes", default=str(Path(__file__).with_name("week.csv")))
    parser.add_argument("--picture", default="week.png")
    arguments = parser.parse_args()

    device = Device(arguments.data, FileVault(arguments.keys))
    try:
        with device.open_single() as phone:
            if arguments.invitation and not phone.me().enrolled:
                phone.enrol(arguments.invitation, device_name="office", server=arguments.server)
            exchange(phone)
            enter(phone, Path(arguments.notes))
            accept_work(phone)
            exchange(phone)
            draw(phone, Path(arguments.picture))
            print(phone.tally().en)
    except OneGridError as error:
        # The sentence tells a person about the problem, the kept work, and the next step.
        raise SystemExit(error.say(Language.EN)) from error


def exchange(phone: Phone) -> None:
    """Syncs where there is a network; without one, the work waits on this device."""
    try:
        report = phone.sync_once()
        print(f"{report.pushed} delivered, {report.pulled} received")
    except NetworkError as error:
        print(error.say(Language.EN))


def enter(phone: Phone, notes: Path) -> None:
    """Turns the notes into reports. A title with its day says whether a note was entered before."""
    known = {
        (row.title, datetime.fromtimestamp(field.value / 1000, UTC).date())
        for row in phone.records(Query(mine=True, kinds=["hazard"]))
        for field in phone.record(row.id).fields
        if field.field == "occurred_ms" and isinstance(field.value, int)
    }
    now = datetime.now(UTC)
    today = now.replace(minute=0, second=0, microsecond=0)
    with notes.open(encoding="utf-8", newline="") as file:
        for note in csv.DictReader(file):
            day = today - timedelta(days=int(note["days_ago"]))
            # A note of today may name an hour that is still to come.
            occurred = min(day.replace(hour=int(note["hour"])), now)
            if (note["title"], occurred.date()) in known:
                continue
            occurred_ms = int(occurred.timestamp() * 1000)
            phone.report(
                "hazard",
                {
                    "title": note["title"],
                    "category": note["category"],
                    "address": note["address"],
                    "severity": int(note["severity"]),
                    "occurred_ms": occurred_ms,
                },
                position=Position(float(note["lat"]), float(note["lon"]), accuracy_m=10),
            )


def accept_work(phone: Phone) -> None:
    """Accepts every assignment of this person that may be accepted now."""
    for row in phone.due(timedelta(days=DAYS)):
        for option in phone.moves(row.id):
            if option.movement.code == "accept" and option.allowed:
                phone.act(row.id, "accept", assignment=option.assignment)
                print(f"accepted: {row.title}")


def draw(phone: Phone, picture: Path) -> None:
    """Draws the own reports by day, the work of the village by stage, and all of it on a map."""
    # The fonts of matplotlib have no Chinese characters, so the title has the role.
    roles = " and ".join(sorted({grant.role.en for grant in phone.me().roles}))
    today = f"{datetime.now(UTC):%d %B %Y}"
    figure = pyplot.figure(figsize=(11, 7), layout="constrained")
    figure.suptitle(f"A {roles}'s week to {today}: {phone.tally().en}")
    grid = figure.add_gridspec(2, 2, width_ratios=(3, 2))
    draw_days(figure.add_subplot(grid[0, 0]), phone)
    draw_stages(figure.add_subplot(grid[1, 0]), phone)
    draw_map(figure.add_subplot(grid[:, 1]), phone)
    figure.savefig(picture, dpi=110)
    pyplot.close(figure)
    print(f"drawn: {picture}")


def draw_days(axes: Axes, phone: Phone) -> None:
    """Own reports of the week by the day of the event, stacked by severity."""
    today = datetime.now(UTC).date()
    days = [today - timedelta(days=ago) for ago in reversed(range(DAYS))]
    counts: Counter[tuple[object, int]] = Counter()
    for row in phone.records(Query(mine=True, kinds=["hazard"])):
        fields = {field.field: field.value for field in phone.record(row.id).fields}
        occurred = fields.get("occurred_ms")
        when = (
            datetime.fromtimestamp(occurred / 1000, UTC)
            if isinstance(occurred, int)
            else row.created_at
        )
        severity = fields.get("severity")
        counts[when.date(), severity if isinstance(severity, int) else 1] += 1
    below = [0] * DAYS
    for severity, name in SEVERITIES.items():
        heights = [counts[day, severity] for day in days]
        axes.bar(range(DAYS), heights, bottom=below, color=COLOURS[severity - 1], label=name)
        below = [low + height for low, height in zip(below, heights, strict=True)]
    axes.set_xticks(range(DAYS), [f"{day:%a %d}" for day in days])
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_title("My reports by day")
    axes.legend(loc="upper left", ncols=4, frameon=False, fontsize="small")
    axes.set_ylim(0, max(below, default=0) + 1.5)


def draw_stages(axes: Axes, phone: Phone) -> None:
    """All records of this phone by stage."""
    stages = [(count.stage.en, count.count) for count in phone.count_by_stage()]
    names = [name for name, _ in reversed(stages)]
    counts = [count for _, count in reversed(stages)]
    bars = axes.barh(names, counts, color="#2a6f97")
    axes.bar_label(bars, padding=3)
    axes.margins(x=0.1)
    axes.set_title("All records by stage")


def draw_map(axes: Axes, phone: Phone) -> None:
    """Positions around the own reports, which have colours by severity."""
    rows = [row for row in phone.records() if row.lat is not None and row.lon is not None]
    mine = [row for row in rows if row.mine]
    others = [row for row in rows if not row.mine]
    scatter(axes, others, "#c4c9cf", 20, "of others")
    for severity, name in SEVERITIES.items():
        worst = [row for row in mine if row.severity is not None and row.severity.code == name]
        scatter(axes, worst, COLOURS[severity - 1], 70, f"mine, {name}")
    if mine:
        # 0.001° are some 100 m; the legend needs room at the top.
        lon, lat = [row.lon or 0.0 for row in mine], [row.lat or 0.0 for row in mine]
        axes.set_xlim(min(lon) - 0.001, max(lon) + 0.001)
        axes.set_ylim(min(lat) - 0.001, max(lat) + 0.003)
    axes.set_aspect(1.16)  # A degree of latitude is longer than one of longitude at 30° north.
    axes.ticklabel_format(useOffset=False)
    axes.tick_params(axis="x", rotation=45)
    axes.set_title("Where")
    axes.legend(loc="upper left", frameon=False, fontsize="small")


def scatter(axes: Axes, rows: list[RecordRow], colour: str, size: int, label: str) -> None:
    """Draws one group of records."""
    lon = [row.lon or 0.0 for row in rows]
    lat = [row.lat or 0.0 for row in rows]
    axes.scatter(lon, lat, s=size, c=colour, label=f"{label} ({len(rows)})", edgecolors="white")


if __name__ == "__main__":
    main()
