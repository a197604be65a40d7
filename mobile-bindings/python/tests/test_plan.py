"""The cost of a sync, before it begins."""

from __future__ import annotations

import asyncio

import pytest
from conftest import HERE, PACKAGE, People
from testbed import Testbed

from onegrid import DeniedError, FilesPolicy, NetworkError, aio

TAKEN = (PACKAGE.parent / "scenarios" / "photos" / "before.jpg").read_bytes()


def test_plan_before_the_first_sync(people: People, testbed: Testbed) -> None:
    testbed.do("records", n=300)
    phone = people.fresh()
    with pytest.raises(DeniedError) as refused:
        phone.plan()
    assert refused.value.code == "replica.not_enrolled"
    phone.enrol(testbed.do("invite", who="grid-worker")["qr"], device_name="test")
    plan = phone.plan()
    assert plan.records.count == 300 and plan.records.minutes is None
    assert 0 < plan.open.count <= 300 and plan.open.bytes <= plan.records.bytes
    assert (plan.uploads, plan.changes, plan.at_least) == (0, 0, False)
    assert phone.count() == 0
    before = testbed.do("traffic")
    report = phone.sync_once()
    assert report.equal
    after = testbed.do("traffic")
    real = sum(after[way] - before[way] for way in ("bytes_up", "bytes_down"))
    assert abs(plan.records.bytes - real) < real / 4
    again = phone.plan()
    assert again.records.count == 0 and again.records.minutes == 1


def test_minutes_follow_a_first_part(people: People, testbed: Testbed) -> None:
    testbed.do("records", n=300)
    phone = people.fresh()
    phone.enrol(testbed.do("invite", who="grid-worker")["qr"], device_name="test")
    assert phone.sync_once(max_bytes=30_000).more
    plan = phone.plan()
    assert plan.records.count < 300 and plan.records.minutes is not None
    assert phone.sync_once().equal


def test_photos_are_counted_apart(people: People, testbed: Testbed) -> None:
    author = people.enrolled(testbed, "volunteer-1")
    photo = author.add_attachment(TAKEN)
    record = author.report(
        "hazard", {"title": "…", "category": "gas"}, position=HERE, attachments=[photo.id]
    )
    plan = author.plan()
    assert plan.uploads >= 1
    assert (plan.photos_to_send.count, plan.photos_to_send.bytes) == (1, photo.size)
    author.sync_once()
    reader = people.fresh("reader")
    reader.set_files_policy(FilesPolicy.ON_REQUEST)
    reader.enrol(testbed.do("invite", who="grid-worker")["qr"], device_name="test")
    plan = reader.plan()
    assert (plan.photos.count, plan.photos.bytes) == (1, photo.size)
    assert plan.photos_open == plan.photos
    assert plan.photos_wanted.count == 0
    reader.sync_once()
    reader.want_attachment(record, photo.id)
    plan = reader.plan()
    assert (plan.photos.count, plan.photos_wanted.count) == (0, 1)
    assert plan.photos_wanted.bytes == photo.size


def test_plan_without_a_network_is_a_network_error(people: People, testbed: Testbed) -> None:
    phone = people.enrolled(testbed, "volunteer-1")
    testbed.do("line", up=False)
    with pytest.raises(NetworkError) as offline:
        asyncio.run(aio.call(phone.plan))
    assert offline.value.code == "sync.offline"
    testbed.do("line", up=True)
    assert phone.plan().records.count == 0
