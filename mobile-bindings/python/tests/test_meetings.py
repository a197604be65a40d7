"""Meetings over a pipe of the program, and the ends of waiting calls."""

from __future__ import annotations

import asyncio
import socket
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from conftest import HERE, WAIT_S, People
from testbed import Testbed

from onegrid import (
    BadInputError,
    BytePipe,
    Hotspot,
    MeetingSide,
    NetworkError,
    Phone,
    aio,
    check_meeting_code,
)


class SocketPipe(BytePipe):
    """One end of a pair of sockets."""

    def __init__(self, end: socket.socket) -> None:
        self._end = end

    def read(self, bytes_max: int) -> bytes:
        return self._end.recv(bytes_max)

    def write(self, data: bytes) -> None:
        self._end.sendall(data)

    def shut(self) -> None:
        self._end.shutdown(socket.SHUT_RDWR)


class BrokenPipe(SocketPipe):
    """Fails at the first reading."""

    def read(self, bytes_max: int) -> bytes:
        raise SystemExit("a bug of the program")


def test_pipe_of_the_program_carries_a_meeting(people: People, testbed: Testbed) -> None:
    worker, room = (people.enrolled(testbed, who) for who in ("grid-worker", "dispatcher"))
    record = worker.report("hazard", {"title": "…", "category": "gas"}, position=HERE)
    left, right = socket.socketpair()
    with left, right, ThreadPoolExecutor() as workers:
        accepted = workers.submit(worker.meet_over, SocketPipe(left), MeetingSide.LISTENER)
        called = room.meet_over(SocketPipe(right), MeetingSide.CALLER)
        assert (called.given, called.taken) == (0, 1)
        assert accepted.result(WAIT_S).member == room.me().member
    assert room.record(record).row.provisional
    progress = room.meeting_progress()
    assert progress.introduced and progress.bytes_down == called.bytes_down


def test_parcel_of_a_phone_is_counted_by_its_courier(people: People, testbed: Testbed) -> None:
    worker, gas = (people.enrolled(testbed, who) for who in ("grid-worker", "handler-gas"))
    worker.report("hazard", {"title": "…", "category": "gas"}, position=HERE, restricted=True)
    left, right = socket.socketpair()
    before = datetime.now(UTC) - timedelta(minutes=1)
    with left, right, ThreadPoolExecutor() as workers:
        accepted = workers.submit(worker.meet_over, SocketPipe(left), MeetingSide.LISTENER)
        assert gas.meet_over(SocketPipe(right), MeetingSide.CALLER).parcel_taken
        assert accepted.result(WAIT_S).parcel_given
    counts = gas.parcel_counts()
    assert counts.carried == 1 and counts.bytes > 4_096
    assert counts.oldest_at is not None and counts.oldest_at > before
    gas.sync_once()
    counts = gas.parcel_counts()
    assert (counts.carried, counts.oldest_at, counts.taken) == (0, None, 1)


def test_broken_pipe_ends_the_meeting(worker: Phone) -> None:
    left, right = socket.socketpair()
    with left, right, pytest.raises(NetworkError) as raised:
        worker.meet_over(BrokenPipe(left), MeetingSide.CALLER)
    assert raised.value.code == "meeting.broken"


def test_cancelled_task_ends_the_waiting(worker: Phone) -> None:
    async def cancelled() -> None:
        listener = worker.listen_for_meeting("127.0.0.1")
        waiting = asyncio.ensure_future(aio.call(worker.accept_meeting, listener))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting

    asyncio.run(cancelled())


def test_code_names_hotspot_and_addresses(worker: Phone) -> None:
    listener = worker.listen_for_meeting("127.0.0.1")
    hotspot = Hotspot("grid 7", "12345678")
    info = check_meeting_code(listener.code(hotspot))
    service = listener.service()
    assert info.hotspot == hotspot
    assert info.addresses == (f"127.0.0.1:{service.port}",)
    assert service.kind == "_onegrid._tcp"
    assert [(text.key, text.value) for text in service.txt] == [("v", "1")]
    for text, code in [("ONEGRID1:0", "meeting.bad_code"), ("8.8.8.8", "meeting.bad_code")]:
        with pytest.raises(BadInputError) as raised:
            check_meeting_code(text)
        assert raised.value.code == code


def test_files_pass_between_phones(people: People, testbed: Testbed, tmp_path: Path) -> None:
    worker, room = (people.enrolled(testbed, who) for who in ("grid-worker", "dispatcher"))
    record = worker.report("hazard", {"title": "…", "category": "gas"}, position=HERE)
    file = tmp_path / "work.onegrid"
    file.write_bytes(worker.make_bundle(room.meeting_request().encode()).file)
    assert room.import_bundle(file.read_bytes()).taken == 1
    assert room.record(record).row.provisional
    made = worker.make_bundle(room.meeting_request_file())
    assert (made.given, made.more, made.member) == (0, False, room.me().member)
    with pytest.raises(BadInputError) as raised:
        worker.import_bundle(file.read_bytes())
    assert raised.value.code == "bundle.no_request"
