"""The verbs of walks of a scenario."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

from onegrid import (
    Phone,
    Position,
    SectionCheckpoint,
    SectionTarget,
    WalkSection,
    WayPoint,
)


def place(value: dict[str, Any]) -> Position:
    """Returns a position of a scenario."""
    return Position(value["lat"], value["lon"], accuracy_m=value.get("accuracy_m"))


def add_track(phone: Phone, record: str, points: list[Any]) -> Any:
    now = datetime.now(UTC)
    way = [
        WayPoint(
            at=now - timedelta(seconds=each["ago_s"]),
            position=place(each),
            after_gap=each.get("after_gap", False),
        )
        for each in points
    ]
    return {"left_out": phone.add_track(record, way).left_out}


def scan_checkpoint(phone: Phone, record: str, code: str, position: Any = None) -> Any:
    scanned = phone.scan_checkpoint(record, code, None if position is None else place(position))
    return {"section": scanned.section, "number": scanned.number}


def walk_section(value: Any) -> WalkSection:
    return WalkSection(
        id=value["id"],
        line=[place(each) for each in value.get("line", ())],
        checkpoints=[
            SectionCheckpoint(each["number"], place(each["position"]), each["name"])
            for each in value.get("checkpoints", ())
        ],
        targets=[SectionTarget(**each) for each in value.get("targets", ())],
    )


def walk(phone: Phone, record: str, section: Any = None) -> Any:
    found = phone.walk(record, None if section is None else walk_section(section))
    return {
        "section": found.section,
        "ended": found.ended_at is not None,
        "abandoned": found.abandoned,
        "walkers": [
            {
                "own": each.own,
                "lead": each.is_lead,
                "refused": each.refused and each.refused.code,
                "points": each.points,
                "outside": each.outside,
                "way": len(each.way),
                "left": each.left_at is not None,
                "withheld": each.withheld,
                "scans": [
                    {"checkpoint": scan.checkpoint, "refused": scan.refused and scan.refused.code}
                    for scan in each.scans
                ],
            }
            for each in found.walkers
        ],
    }


def coverage(phone: Phone, section: Any, records: list[str], day: str) -> Any:
    found = phone.coverage(walk_section(section), records, date.fromisoformat(day))
    return {
        "passes": len(found.passes),
        "records": [record for each in found.passes for record in each.records],
        "shortfalls": [each.wanted - each.found for each in found.shortfalls],
    }


WALK_VERBS: dict[str, Callable[..., Any]] = {
    "add_track": add_track,
    "coverage": coverage,
    "join_by_code": Phone.join_by_code,
    "join_code": lambda phone, record, minutes=10: phone.join_code(record, minutes=minutes),
    "leave_walk": Phone.leave_walk,
    "scan_checkpoint": scan_checkpoint,
    "walk": walk,
}
