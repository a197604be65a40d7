"""Subscriptions, streams, asyncio and the log."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import threading
from collections.abc import Iterator
from datetime import timedelta

import pytest
from conftest import HERE, People
from testbed import Testbed

import onegrid
from onegrid import (
    BusyError,
    CancelledError,
    NetworkError,
    Phone,
    RecordChanges,
    SyncState,
    aio,
    log_to,
    stop_log,
)
from onegrid.events import EventStream, merged_changes


def report(phone: Phone, title: str = "…") -> str:
    """A report in the testbed's village."""
    return phone.report("hazard", {"title": title, "category": "gas"}, position=HERE)


def names(change: RecordChanges | None, record: str) -> bool:
    """Whether a change is about a record."""
    return change is not None and (change.all or record in change.records)


def sync_until_equal(phone: Phone, tries: int = 20) -> None:
    """Syncs as an app does, and tries a broken line again."""
    for _ in range(tries):
        with contextlib.suppress(NetworkError):
            if phone.sync_once().equal:
                return
    pytest.fail("phone and server are never equal")


def changes(*records: str, everything: bool = False) -> RecordChanges:
    """A change of these records."""
    return RecordChanges(records=records, all=everything, directory=False, notices=False)


def test_changes_merge_until_they_are_read() -> None:
    stream = EventStream(merged_changes)
    stream._put(changes("a", "b"))
    stream._put(changes("b", "c"))
    assert stream.get(0) == changes("a", "b", "c")
    assert stream.get(0) is None


def test_ten_thousand_changes_are_one_event_of_bounded_size() -> None:
    stream = EventStream(merged_changes)
    for n in range(10_000):
        stream._put(changes(f"{n}"))
    event = stream.get(0)
    assert event is not None
    assert event.all and len(event.records) == 1_000


def test_stream_hears_what_is_written(worker: Phone) -> None:
    with worker.changes() as stream:
        record = report(worker)
        assert names(stream.get(timedelta(seconds=30)), record)
    assert stream.closed and stream.get() is None


def test_stream_ends_when_the_phone_is_shut(worker: Phone) -> None:
    stream = worker.changes()
    reader = threading.Thread(target=lambda: list(stream))
    reader.start()
    worker.shut()
    reader.join(30)
    assert not reader.is_alive()


def test_stream_that_is_forgotten_ends(worker: Phone) -> None:
    worker.changes()
    gc.collect()
    assert len(worker._streams) == 0


def test_cancelled_subscription_hears_nothing_more(worker: Phone) -> None:
    heard: list[RecordChanges] = []
    first = threading.Event()

    def listen(change: RecordChanges) -> None:
        heard.append(change)
        first.set()

    subscription = worker.on_changes(listen)
    report(worker)
    assert first.wait(30)
    subscription.cancel()
    before = len(heard)
    with worker.changes() as other:
        report(worker)
        assert other.get(30) is not None
    assert len(heard) == before


def test_dropped_subscription_hears_nothing_more(worker: Phone) -> None:
    heard: list[RecordChanges] = []
    subscription = worker.on_changes(heard.append)
    del subscription
    gc.collect()
    with worker.changes() as other:
        report(worker)
        assert other.get(30) is not None
    assert heard == []


def test_status_is_told_at_once_and_after_a_sync(worker: Phone) -> None:
    with worker.status_changes() as stream:
        first = stream.get(30)
        assert first is not None
        report(worker)
        worker.sync_once()
        while (status := stream.get(30)) is not None:
            if status.pending == 0 and status.synced_at is not None:
                break
        assert status is not None


def test_notification_names_a_mention_without_content(people: People, testbed: Testbed) -> None:
    volunteer = people.enrolled(testbed, "volunteer-1")
    worker = people.enrolled(testbed, "grid-worker")
    record = report(volunteer)
    volunteer.sync_once()
    worker.sync_once()
    member = volunteer.me().member
    assert member
    worker.comment(record, "秘密Zxq", mentions=[member])
    worker.sync_once()
    with volunteer.notifications_stream() as stream:
        volunteer.sync_once()
        told: list[onegrid.Notification] = []
        while not any(each.code == "notify.mentioned" for each in told):
            told += stream.get(30) or pytest.fail("no notification")
    mention = next(each for each in told if each.code == "notify.mentioned")
    assert mention.record == record
    assert "Zxq" not in mention.zh + mention.en
    volunteer.notifications_taken(mention.no)
    assert mention.no not in {each.no for each in volunteer.notifications()}


def test_suspended_phone_refuses_and_resumes(worker: Phone) -> None:
    with worker.suspended():
        assert worker.status().state is SyncState.SUSPENDED
        with pytest.raises(BusyError) as caught:
            worker.count()
        assert caught.value.code == "replica.suspended"
    assert worker.count() == 0
    with worker.changes() as stream:
        record = report(worker)
        assert names(stream.get(30), record)
    assert worker.count() == 1


def test_live_phone_hears_another(people: People, testbed: Testbed) -> None:
    worker = people.enrolled(testbed, "grid-worker")
    volunteer = people.enrolled(testbed, "volunteer-1")
    with worker.changes() as stream, worker.live():
        record = report(volunteer)
        volunteer.sync_once()
        while (change := stream.get(30)) is not None:
            if names(change, record) and worker.count() == 1:
                break
    assert worker.record(record).row.title == "…"


def test_budget_ends_a_sync_early(people: People, testbed: Testbed) -> None:
    testbed.do("records", n=400)
    worker = people.fresh("grid-worker")
    worker.enrol(testbed.do("invite", who="grid-worker")["qr"], device_name="…")
    first = worker.sync_once(max_bytes=20_000)
    assert first.more and not first.equal
    sync_until_equal(worker)
    assert worker.count() == 400


def test_asyncio_awaits_calls_and_streams(worker: Phone) -> None:
    async def main() -> None:
        async with aio.stream(worker.changes()) as stream:
            record = await aio.call(
                worker.report, "hazard", {"title": "…", "category": "gas"}, position=HERE
            )
            async for change in stream:
                assert names(change, record)
                break
        report = await aio.call(worker.sync_once, time=timedelta(seconds=60))
        assert report.pushed == 1

    asyncio.run(main())


def test_async_stream_ends_with_the_phone(worker: Phone) -> None:
    async def main() -> None:
        stream = aio.stream(worker.changes())

        async def read() -> int:
            return len([change async for change in stream])

        reader = asyncio.ensure_future(read())
        await aio.call(worker.shut)
        await asyncio.wait_for(reader, 30)

    asyncio.run(main())


def test_cancelled_task_cancels_its_sync(people: People, testbed: Testbed) -> None:
    testbed.do("records", n=200)
    worker = people.fresh("grid-worker")
    worker.enrol(testbed.do("invite", who="grid-worker")["qr"], device_name="…")
    testbed.do("line", hold_after=1_000)

    async def main() -> None:
        task = asyncio.ensure_future(aio.call(worker.sync_once))
        await asyncio.to_thread(testbed.do, "line_held")
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    testbed.do("line", up=True)
    sync_until_equal(worker)
    assert worker.count() == 200


def test_cancel_from_another_thread_ends_a_sync(people: People, testbed: Testbed) -> None:
    testbed.do("records", n=200)
    worker = people.fresh("grid-worker")
    worker.enrol(testbed.do("invite", who="grid-worker")["qr"], device_name="…")
    testbed.do("line", hold_after=1_000)
    errors: list[BaseException] = []

    def sync() -> None:
        with contextlib.suppress(CancelledError):
            worker.sync_once()
            errors.append(AssertionError("the sync was not cancelled"))

    thread = threading.Thread(target=sync)
    thread.start()
    testbed.do("line_held")
    worker.cancel()
    thread.join(30)
    assert not thread.is_alive() and errors == []


@pytest.fixture
def heard() -> threading.Semaphore:
    """Counts lines of the log."""
    return threading.Semaphore(0)


@pytest.fixture
def lines(heard: threading.Semaphore) -> Iterator[list[logging.LogRecord]]:
    """The lines that reach a logger."""
    kept: list[logging.LogRecord] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            kept.append(record)
            heard.release()

    logger = logging.Logger("onegrid")
    logger.addHandler(Keep())
    log_to(logger, onegrid.LogLevel.DEBUG)
    yield kept
    stop_log()


def test_log_carries_codes_without_content(
    people: People, testbed: Testbed, lines: list[logging.LogRecord], heard: threading.Semaphore
) -> None:
    worker = people.enrolled(testbed, "grid-worker")
    raised = threading.Event()

    def listen(change: RecordChanges) -> None:
        raised.set()
        raise RuntimeError("煤气罐Zxq")

    with worker.on_changes(listen):
        report(worker, "煤气罐Zxq")
        worker.sync_once()
        assert raised.wait(30)
    # The log has a thread of its own.
    assert heard.acquire(timeout=30)
    text = "\n".join(record.getMessage() for record in lines)
    assert "phone.listener_failed" in text
    assert "Zxq" not in text and "煤气罐" not in text and "30.31" not in text
