"""Bad input of every kind: a typed error or a refusal, nothing lost, no crash of the program."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from conftest import HERE, PACKAGE, WAIT_S, People
from scenario import Forgetful
from testbed import Testbed

import onegrid
from onegrid import (
    BadInputError,
    BusyError,
    Device,
    FileVault,
    KeyGoneError,
    NetworkError,
    OneGridError,
    Phone,
    Position,
    Query,
    VaultKeyError,
    VaultLockedError,
)


def code_of(function: Callable[..., object], *args: object, **kwargs: object) -> str:
    """The code of the error that a call raises."""
    with pytest.raises(OneGridError) as caught:
        function(*args, **kwargs)
    assert caught.value.zh and caught.value.en
    return caught.value.code


def test_wrong_key_opens_nothing_and_touches_nothing(tmp_path: Path) -> None:
    vault = Forgetful()
    device = Device(tmp_path, vault)
    device.open_single().shut()
    before = contents(tmp_path)
    right = dict(vault.secrets)
    for name, secret in right.items():
        vault.secrets[name] = bytes(byte ^ 0xFF for byte in secret)
    with pytest.raises(VaultKeyError):
        Device(tmp_path, vault).open_single()
    assert contents(tmp_path) == before
    vault.secrets.update(right)
    Device(tmp_path, vault).open_single().shut()


def contents(folder: Path) -> dict[str, bytes]:
    """All files of a folder."""
    return {
        str(file.relative_to(folder)): file.read_bytes()
        for file in folder.rglob("*")
        if file.is_file()
    }


def test_restored_backup_without_its_vault_says_key_gone(tmp_path: Path) -> None:
    Device(tmp_path / "old", Forgetful()).open_single().shut()
    shutil.copytree(tmp_path / "old", tmp_path / "new")
    device = Device(tmp_path / "new", Forgetful())
    assert code_of(device.open_single) == "vault.key_gone"
    (account,) = device.accounts()
    with device.start_over(account.slot) as phone:
        assert phone.way_back.kind is onegrid.WayBackKind.STARTED_OVER
        assert not phone.me().enrolled


def test_older_copy_of_the_files_keeps_working(
    people: People, testbed: Testbed, tmp_path: Path
) -> None:
    worker = people.enrolled(testbed, "grid-worker")
    worker.report("hazard", {"title": "before", "category": "gas"}, position=HERE)
    worker.sync_once()
    worker.shut()
    folder = tmp_path / "grid-worker"
    shutil.copytree(folder, tmp_path / "copy")
    worker = people.fresh("grid-worker")
    worker.report("hazard", {"title": "after", "category": "gas"}, position=HERE)
    worker.sync_once()
    worker.shut()
    shutil.rmtree(folder)
    shutil.copytree(tmp_path / "copy", folder)
    worker = people.fresh("grid-worker")
    worker.report("hazard", {"title": "after the restore", "category": "gas"}, position=HERE)
    worker.sync_once()
    assert {row.title for row in worker.records()} == {"before", "after", "after the restore"}


def test_two_processes_do_not_open_one_replica(tmp_path: Path) -> None:
    program = (
        "import sys\n"
        "from onegrid import Device, FileVault\n"
        "with Device(sys.argv[1], FileVault(sys.argv[2])).open_single():\n"
        "    print('open', flush=True)\n"
        "    sys.stdin.read()\n"
    )
    keys = FileVault(tmp_path / "keys")
    other = subprocess.Popen(
        [sys.executable, "-c", program, tmp_path / "data", tmp_path / "keys"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with other:
        assert other.stdout and other.stdout.readline() == "open\n"
        device = Device(tmp_path / "data", keys)
        with pytest.raises(BusyError) as caught:
            device.open_single()
        assert caught.value.code == "replica.in_use"
        other.communicate()
    device.open_single().shut()


class Odd(Forgetful):
    """A vault that acts in an odd way before each answer."""

    def __init__(self, act: Callable[[], object]) -> None:
        super().__init__()
        self.act = act
        self.odd = False

    def load(self, name: str) -> bytes | None:
        if self.odd:
            return self.act()  # type: ignore[return-value]
        return super().load(name)


def raising(error: BaseException) -> Callable[[], object]:
    """A function that raises."""

    def throw() -> object:
        raise error

    return throw


@pytest.mark.parametrize(
    ("act", "code"),
    [
        (raising(RuntimeError("a name and a path")), "vault.failed"),
        (raising(SystemExit(3)), "vault.failed"),
        (raising(KeyboardInterrupt()), "vault.failed"),
        (raising(KeyGoneError()), "vault.key_gone"),
        (raising(VaultLockedError()), "vault.locked"),
        (lambda: "text instead of bytes", "vault.failed"),
        (lambda: 7, "vault.failed"),
    ],
    ids=["raises", "exits", "interrupts", "gone", "locked", "text", "number"],
)
def test_vault_that_misbehaves_costs_one_call(
    tmp_path: Path, act: Callable[[], object], code: str
) -> None:
    vault = Odd(act)
    device = Device(tmp_path, vault)
    device.open_single().shut()
    vault.odd = True
    assert code_of(device.open_single) == code
    vault.odd = False
    device.open_single().shut()


def test_vault_that_calls_back_in_is_refused(tmp_path: Path) -> None:
    codes: list[str] = []

    def call_back() -> object:
        codes.append(code_of(device.open_single))
        raise RuntimeError

    vault = Odd(call_back)
    device = Device(tmp_path, vault)
    device.open_single().shut()
    vault.odd = True
    assert code_of(device.open_single) == "vault.failed"
    assert codes == ["phone.called_back_in"]
    vault.odd = False
    device.open_single().shut()


def test_vault_that_hangs_fails_and_leaves_the_program(tmp_path: Path) -> None:
    released = threading.Event()

    def hang() -> object:
        released.wait(WAIT_S)
        return None

    vault = Odd(hang)
    device = Device(tmp_path, vault)
    device.open_single().shut()
    vault.odd = True
    try:
        assert code_of(device.open_single) == "vault.failed"
    finally:
        vault.odd = False
        released.set()
    device.open_single().shut()


def test_listener_that_raises_hears_the_next_event(worker: Phone) -> None:
    heard = threading.Semaphore(0)

    def listen(changes: onegrid.RecordChanges) -> None:
        heard.release()
        raise SystemExit("a listener may raise anything")

    with worker.on_changes(listen):
        for _ in range(2):
            worker.report("hazard", {"title": "…", "category": "gas"}, position=HERE)
            assert heard.acquire(timeout=WAIT_S)


def test_listener_may_call_everything_and_cancel_itself(worker: Phone) -> None:
    counts: list[int] = []
    done = threading.Event()

    def listen(changes: onegrid.RecordChanges) -> None:
        if worker.count() == 0:
            return  # Changes of the first sync may come before the report.
        counts.append(worker.count())
        worker.comment(next(worker.records()).id, "from within a listener")
        subscription.cancel()
        done.set()

    subscription = worker.on_changes(listen)
    record = worker.report("hazard", {"title": "…", "category": "gas"}, position=HERE)
    assert done.wait(WAIT_S)
    assert counts == [1]
    assert [comment.text for comment in worker.record(record).comments] == [
        "from within a listener"
    ]


def test_listener_that_hangs_delays_no_call(worker: Phone) -> None:
    entered, released = threading.Event(), threading.Event()

    def listen(changes: onegrid.RecordChanges) -> None:
        entered.set()
        released.wait(WAIT_S)

    with worker.on_changes(listen):
        worker.report("hazard", {"title": "1", "category": "gas"}, position=HERE)
        assert entered.wait(WAIT_S)
        for n in range(20):
            worker.report("hazard", {"title": f"{n}", "category": "gas"}, position=HERE)
        assert worker.count() == 21
        released.set()


LONE = "\ud83d"


@pytest.mark.parametrize(
    "call",
    [
        lambda phone: phone.comment("0" * 32, LONE),
        lambda phone: phone.search(LONE),
        lambda phone: phone.report("hazard", {"title": LONE}, position=HERE),
        lambda phone: phone.report("hazard", {LONE: "…"}, position=HERE),
        lambda phone: phone.act("0" * 32, "comment", mentions=["…", LONE]),
        lambda phone: phone.list(Query(kinds=[LONE])),
        lambda phone: phone.enrol(LONE, device_name="…"),
    ],
)
def test_lone_surrogate_is_refused_and_the_account_can_be_shut(
    people: People, call: Callable[[Phone], object]
) -> None:
    phone = people.fresh()
    with pytest.raises(BadInputError) as caught:
        call(phone)
    assert caught.value.code == "text.bad_character"
    # A reference that stays behind in the core would keep the account open.
    phone.shut()
    people.device("fresh").open_single().shut()


@pytest.mark.parametrize(
    "call",
    [
        lambda phone: phone.list(rows=-1),
        lambda phone: phone.list(rows=2**32),
        lambda phone: phone.notifications(after=2**63),
        lambda phone: phone.sync_once(max_bytes=-1),
        lambda phone: phone.edit("0" * 32, {"severity": 2**63}),
        lambda phone: phone.locate(Position(0, 0, accuracy_m=-1)),
        lambda phone: phone.act("0" * 32, "triage", severity=256),
    ],
)
def test_number_out_of_its_range_is_refused(phone: Phone, call: Callable[[Phone], object]) -> None:
    with pytest.raises(BadInputError):
        call(phone)


@pytest.mark.parametrize(
    "position",
    [
        Position(91, 0),
        Position(0, 181),
        Position(float("nan"), 0),
        Position(0, float("inf")),
        Position(0, 0, accuracy_m=2**31),
        Position(0, 0, fix_age_ms=2**31),
    ],
)
def test_position_that_is_none_is_refused(phone: Phone, position: Position) -> None:
    assert code_of(phone.locate, position).startswith("position.")


def test_enormous_list_is_refused(worker: Phone) -> None:
    record = worker.report("hazard", {"title": "…", "category": "gas"}, position=HERE)
    member = worker.me().member
    assert member
    with pytest.raises(BadInputError):
        worker.comment(record, "…", mentions=[member] * 200_000)
    with pytest.raises(OneGridError):
        worker.edit(record, {f"answer.{n}": "…" for n in range(100_000)})
    with pytest.raises(BadInputError):
        worker.comment(record, "长" * 5_000_000)
    assert worker.record(record).comments == ()


def test_enormous_query_answers_or_is_refused(phone: Phone) -> None:
    with contextlib.suppress(BadInputError):
        assert phone.count(Query(kinds=["hazard"] * 100_000)) == 0
    assert phone.search("煤气 " * 50_000).items == ()


@pytest.mark.parametrize("rows", [0, 201, 2**32 - 1])
def test_page_size_has_a_limit(phone: Phone, rows: int) -> None:
    assert len(phone.list(rows=rows)) == 0


def test_page_of_another_query_is_refused(worker: Phone) -> None:
    for n in range(3):
        worker.report("hazard", {"title": f"{n}", "category": "gas"}, position=HERE)
    page = worker.list(rows=1)
    assert (
        code_of(worker.list, Query(mine=True, order=onegrid.Order.DUE), page=page.next)
        == "list.bad_token"
    )
    assert code_of(worker.list, page="garbage") == "list.bad_token"


@pytest.mark.parametrize("years", [-10, 10])
def test_clock_ten_years_off_loses_nothing(
    people: People, testbed: Testbed, years: int, tmp_path: Path
) -> None:
    # The SDK asks the system for the time, so a preloaded library shifts it for a process of its own.
    shift = clock_shift(tmp_path)
    invitation = testbed.do("invite", who="grid-worker")["qr"]
    program = (
        "import sys, time\n"
        "from onegrid import *\n"
        "device = Device(sys.argv[1], FileVault(sys.argv[2]))\n"
        "with device.open_single() as phone:\n"
        "    print(time.gmtime().tm_year)\n"
        "    phone.enrol(sys.argv[3], device_name='…')\n"
        "    phone.sync_once()\n"
        "    phone.report('hazard', {'title': 'off', 'category': 'gas'}, position=Position(30.31215, 120.11878, accuracy_m=8))\n"
        "    report = phone.sync_once()\n"
        "    (row,) = phone.records()\n"
        "    print(row.title, report.pushed, row.receipt.name)\n"
    )
    arguments = [sys.executable, "-c", program, tmp_path / "data", tmp_path / "keys", invitation]
    environment = os.environ | {
        "LD_PRELOAD": str(shift),
        "ONEGRID_CLOCK_SHIFT_S": str(int(years * 365.25 * 86400)),
    }
    done = subprocess.run(
        arguments, env=environment, capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, done.stderr
    year, row = done.stdout.splitlines()
    assert abs(int(year) - datetime.now(UTC).year - years) <= 1
    assert row.startswith("off 1 ")


def clock_shift(folder: Path) -> Path:
    """A library that shifts the real-time clock of a process by ONEGRID_CLOCK_SHIFT_S seconds."""
    source, library = PACKAGE.parent / "scenarios/clock.c", folder / "clock.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, source], check=True)
    return library


def test_server_of_another_deployment_changes_nothing(people: People, testbed: Testbed) -> None:
    worker = people.enrolled(testbed, "grid-worker")
    record = worker.report("hazard", {"title": "…", "category": "gas"}, position=HERE)
    testbed.do("route", to="foreign")
    with pytest.raises(NetworkError):
        worker.sync_once()
    assert worker.record(record).row.undelivered == 1
    testbed.do("route", to="own")
    assert worker.sync_once().pushed == 1


@pytest.mark.parametrize(
    "text", ["", "https://example.org/", "ONEGRID1:", "ABCD", "\x00", "x" * 1_000_000]
)
def test_text_that_is_no_invitation_is_refused(phone: Phone, text: str) -> None:
    with pytest.raises(BadInputError):
        onegrid.check_invitation(text)
    with pytest.raises(BadInputError):
        phone.enrol(text, device_name="…")
    assert not phone.me().enrolled


def test_wrong_types_are_refused_by_python(phone: Phone) -> None:
    for call in (
        lambda: phone.search(7),  # type: ignore[arg-type]
        lambda: phone.report("hazard", {"title": 1.5}),  # type: ignore[dict-item]
        lambda: phone.comment("0" * 32, b"bytes"),  # type: ignore[arg-type]
        lambda: Device("/tmp", object()).open_single(),  # type: ignore[arg-type]
    ):
        with pytest.raises((TypeError, AttributeError, OneGridError)):
            call()
    assert phone.count() == 0


def test_calls_from_many_threads_agree(worker: Phone) -> None:
    failures: list[BaseException] = []

    def work(n: int) -> None:
        try:
            for m in range(5):
                record = worker.report(
                    "hazard", {"title": f"{n}-{m}", "category": "gas"}, position=HERE
                )
                assert worker.record(record).row.title == f"{n}-{m}"
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert worker.count() == 40


def test_interrupt_in_the_main_thread_cancels_a_sync(
    people: People, testbed: Testbed, tmp_path: Path
) -> None:
    testbed.do("records", n=200)
    invitation = testbed.do("invite", who="grid-worker")["qr"]
    program = (
        "import signal, sys\n"
        "from onegrid import Device, FileVault\n"
        # Where a shell started the tests in its background, the signal is ignored.
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "with Device(sys.argv[1], FileVault(sys.argv[2])).open_single() as phone:\n"
        "    phone.enrol(sys.argv[3], device_name='…')\n"
        "    print('enrolled', flush=True)\n"
        "    sys.stdin.readline()\n"
        "    try:\n"
        "        phone.sync_once()\n"
        "    except KeyboardInterrupt:\n"
        "        print('interrupted', phone.undelivered(), flush=True)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program, tmp_path / "data", tmp_path / "keys", invitation],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdin and process.stdout
        assert process.stdout.readline() == "enrolled\n"
        testbed.do("line", hold_after=1000)
        process.stdin.write("\n")
        process.stdin.flush()
        testbed.do("line_held")
        process.send_signal(2)
        assert process.stdout.readline() == "interrupted 0\n"
        assert process.wait(WAIT_S) == 0
