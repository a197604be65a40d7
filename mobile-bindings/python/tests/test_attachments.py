"""Photos: bytes over the border, limits, and the policy of transfers."""

from __future__ import annotations

import asyncio

import pytest
from conftest import HERE, PACKAGE, People
from testbed import Testbed

from onegrid import (
    AttachmentState,
    BadInputError,
    FilesPolicy,
    NotFoundError,
    Phone,
    aio,
)

PHOTOS = PACKAGE.parent / "scenarios" / "photos"
TAKEN = (PHOTOS / "before.jpg").read_bytes()
CLEAN = (PHOTOS / "before_clean.jpg").read_bytes()


def test_photo_reads_whole_or_in_pieces(phone: Phone) -> None:
    added = phone.add_attachment(TAKEN)
    assert added.state is AttachmentState.STAGED
    assert (added.media.code, added.media_type, added.size) == ("photo", "image/jpeg", len(CLEAN))
    assert phone.read_attachment(added.id) == CLEAN
    assert phone.read_attachment(added.id, offset=7, max_bytes=3) == CLEAN[7:10]
    assert phone.read_attachment(added.id, offset=len(CLEAN)) == b""
    picture = phone.thumbnail(added.id)
    assert picture is not None and picture.startswith(b"\xff\xd8")


def test_place_of_a_photo_is_gone() -> None:
    assert b"2026:11:30" in TAKEN and b"2026:11:30" not in CLEAN
    # The tag of a directory with a place.
    assert b"\x88\x25" in TAKEN and b"\x88\x25\x00\x04" not in CLEAN


@pytest.mark.parametrize(
    ("data", "code"),
    [
        ((PHOTOS / "iphone.heic").read_bytes(), "media.needs_jpeg"),
        (b"OggS" + bytes(60), "media.needs_m4a"),
        (b"", "media.unknown"),
        (TAKEN[:700], "media.damaged"),
        (bytes(32 * 1024 * 1024 + 1), "media.too_large"),
    ],
)
def test_other_bytes_are_refused_with_the_next_step(phone: Phone, data: bytes, code: str) -> None:
    with pytest.raises(BadInputError) as refused:
        phone.add_attachment(data)
    assert refused.value.code == code
    assert phone.staged_attachments() == ()


def test_unknown_ids_are_told_apart_from_wrong_ones(phone: Phone) -> None:
    with pytest.raises(NotFoundError) as unknown:
        phone.attachment("0" * 64)
    assert unknown.value.code == "media.unknown_id"
    with pytest.raises(BadInputError) as malformed:
        phone.attachment("photo.jpg")
    assert malformed.value.code == "id.malformed"


def test_report_with_a_photo_waits_for_a_sync_that_transfers_files(
    people: People, testbed: Testbed, worker: Phone
) -> None:
    photo = worker.add_attachment(TAKEN).id
    caption = {"title": "气瓶", f"photo.{photo}": "门口"}
    record = worker.report("hazard", caption, position=HERE, attachments=[photo])
    worker.set_files_policy(FilesPolicy.ON_REQUEST)
    worker.sync_once()
    status = worker.status()
    assert (status.pending, status.files_left, status.bytes_left) == (0, 1, len(CLEAN))
    report = asyncio.run(aio.call(worker.sync_files))
    assert report.equal and not report.more
    assert worker.status().files_left == 0
    (info,) = worker.attachments(record)
    assert info.state is AttachmentState.DELIVERED and info.delivered_at is not None
    assert info.confirmed and worker.refused_attachments() == ()
    for refused in (worker.send_again, worker.remove_void_attachment):
        with pytest.raises(NotFoundError) as shown:
            refused(record, photo)
        assert shown.value.code == "media.unknown_id"

    other = people.enrolled(testbed, "community-officer")
    with pytest.raises(NotFoundError) as absent:
        other.read_attachment(photo, record=record)
    assert absent.value.code == "media.absent"
    with other.changes() as changes:
        other.want_attachment(record, photo)
        change = changes.get(120)
        assert change is not None and record in change.records
    other.sync_once()
    assert other.read_attachment(photo, record=record) == CLEAN
    assert other.free_space(1) == len(CLEAN)
    assert other.attachment(photo, record=record).state is AttachmentState.ABSENT
