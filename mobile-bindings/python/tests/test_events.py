"""Subscriptions, streams, asyncio and the log."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import threading
import time
from collections.abc import Iterator
from datetime import timedelta

import pytest
from conftest import HERE, WAIT_S, People
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


def hear(stream: EventStream[RecordChanges], record: str) -> None:
    """Waits for the change of a record. Changes of an earlier sync may come before it."""
    while (change := stream.get(timedelta(seconds=WAIT_S))) is not None:
        if record in change.records:
            return
    pytest.fail(f"no change of {record}")


def settle(phone: Phone) -> None:
    """Waits until every listener has heard of all that happened so far.

    One thread calls all listeners, one after the other, so whoever subscribed before has heard first.
    """
    with phone.changes() as stream:
        hear(stream, report(phone))


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
        hear(stream, report(worker))
    assert stream.closed and stream.get() is None


def test_stream_ends_when_the_phone_is_shut(worker: Phone) -> None:
    stream = worker.changes()
    reader = threading.Thread(target=lambda: list(stream))
    reader.start()
    worker.shut()
    reader.join(WAIT_S)
    assert not reader.is_alive()


def test_stream_that_is_forgotten_ends(worker: Phone) -> None:
    worker.changes()
    gc.collect()
    # The core's thread holds the stream while it hands an event over.
    end = time.monotonic() + WAIT_S
    while len(worker._streams) > 0:
        assert time.monotonic() < end
        gc.collect()


def test_cancelled_subscription_hears_nothing_more(worker: Phone) -> None:
    heard: list[RecordChanges] = []
    subscription = worker.on_changes(heard.append)
    settle(worker)
    assert heard
    subscription.cancel()
    # A call that ran when the subscription was cancelled has finished by then.
    settle(worker)
    before = len(heard)
    settle(worker)
    assert len(heard) == before


def test_dropped_subscription_hears_nothing_more(worker: Phone) -> None:
    heard: list[RecordChanges] = []
    subscription = worker.on_changes(heard.append)
    del subscription
    gc.collect()
    # A call that ran when the subscription was dropped has finished by then.
    settle(worker)
    before = len(heard)
    settle(worker)
    assert len(heard) == before


def test_status_is_told_at_once_and_after_a_sync(worker: Phone) -> None:
    with worker.status_changes() as stream:
        first = stream.get(WAIT_S)
        assert first is not None
        report(worker)
        worker.sync_once()
        while (status := stream.get(WAIT_S)) is not None:
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
            told += stream.get(WAIT_S) or pytest.fail("no notification")
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
        hear(stream, report(worker))
    assert worker.count() == 1


def test_live_phone_hears_another(people: People, testbed: Testbed) -> None:
    worker = people.enrolled(testbed, "grid-worker")
    volunteer = people.enrolled(testbed, "volunteer-1")
    with worker.changes() as stream, worker.live():
        record = report(volunteer)
        volunteer.sync_once()
        hear(stream, record)
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
            # Changes of the first sync may come before it.
            async for change in stream:
                if record in change.records:
                    break
            else:
                pytest.fail("the stream ended")
        report = await aio.call(worker.sync_once, time=timedelta(seconds=WAIT_S))
        assert report.pushed == 1

    asyncio.run(main())


def test_async_stream_ends_with_the_phone(worker: Phone) -> None:
    async def main() -> None:
        stream = aio.stream(worker.changes())

        async def read() -> int:
            return len([change async for change in stream])

        reader = asyncio.ensure_future(read())
        await aio.call(worker.shut)
        await asyncio.wait_for(reader, WAIT_S)

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
    thread.join(WAIT_S)
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
        assert raised.wait(WAIT_S)
    # The log has a thread of its own, and other lines may come first.
    while not any("phone.listener_failed" in record.getMessage() for record in lines):
        assert heard.acquire(timeout=WAIT_S)
    text = "\n".join(record.getMessage() for record in lines)
    assert "Zxq" not in text and "煤气罐" not in text and "30.31" not in text
