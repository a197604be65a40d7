"""Photos and recordings: added, used in records, read, fetched, and removed where storage is short."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from onegrid import _ffi, errors
from onegrid._border import call, lift, lift_all
from onegrid._ffi import AttachmentState, FilesPolicy
from onegrid.words import Word

__all__ = ["AttachmentCalls", "AttachmentInfo", "AttachmentState", "FilesPolicy"]

WHOLE_BYTES = 8 * 1024 * 1024
"""The largest file that a phone keeps."""


@dataclass(frozen=True, slots=True)
class AttachmentInfo:
    """A photo or recording, without its bytes."""

    id: str
    """Names it in reports, moves, answers and captions: 64 hex digits."""
    record: str | None
    """The record; `None` while it is staged."""
    media: Word
    """`photo` or `recording`."""
    media_type: str
    """The type of the bytes: `image/jpeg` or `audio/mp4`."""
    size: int
    """Bytes of the whole file, 1 to 8,388,608 (8 MiB)."""
    width: int | None
    """Pixels from left to right as shown, for a photo whose author gave them."""
    height: int | None
    """Pixels from top to bottom as shown, for a photo whose author gave them."""
    duration_ms: int | None
    """Length of a recording in milliseconds, if its author gave it."""
    state: AttachmentState
    """How far it has got on its way from or to this phone."""
    confirmed: bool
    """Whether the file is here and the server said that it has it, after its last restore from a backup too."""
    delivered_at: datetime | None
    """The time when the server first confirmed that it has the whole file."""
    refusal: Word | None
    """The reason why the server refused the file or its description. The phone keeps the file."""
    has_thumbnail: bool
    """Whether there is a small picture."""


class AttachmentCalls:
    """The methods of a phone for photos and recordings; `Phone` has them all."""

    _raw: _ffi.Phone

    def add_attachment(self, data: bytes) -> AttachmentInfo:
        """Adds the bytes of a photo (JPEG) or a recording (AAC in MP4) and returns it as staged.

        The content decides which of both it is. The phone keeps a clean copy without place, time and device,
        sealed on the disk; it survives a power cut. It waits for its first use in a report, move, answer,
        comment or `attach`, and is removed with a notice when it was not used for 7 days.

        `data` has at most 32 MiB, and the clean copy at most 8 MiB; a photo has at most 25 million pixels.
        Raises `media.needs_jpeg` for HEIC, PNG and other pictures, `media.needs_m4a` for other sound,
        `media.unknown`, `media.damaged`, `media.too_large`, `media.too_many_pixels`, `media.disk_full`.
        """
        if len(data) > call(_ffi.attachment_input_bytes_max):
            raise errors.of(errors.BadInputError, "media.too_large")
        return lift(AttachmentInfo, call(self._raw.add_attachment, data))

    def staged_attachments(self) -> tuple[AttachmentInfo, ...]:
        """Returns the photos and recordings that wait for their first use, oldest first."""
        return lift_all(AttachmentInfo, call(self._raw.staged_attachments))

    def remove_staged(self, id: str) -> None:
        """Removes a photo or recording that waits for its first use.

        Raises `media.unknown_id`.
        """
        call(self._raw.remove_staged, id)

    def attach(self, record: str, id: str) -> None:
        """Adds a staged photo or recording to a record without further words.

        Raises `media.unknown_id`, `replica.no_record`, `may.*`.
        """
        call(self._raw.attach, record, id)

    def attachment(self, id: str, *, record: str | None = None) -> AttachmentInfo:
        """Returns a photo or recording of a record; without `record`, a staged one.

        Raises `media.unknown_id`.
        """
        return lift(AttachmentInfo, call(self._raw.attachment, record, id))

    def attachments(self, record: str) -> tuple[AttachmentInfo, ...]:
        """Returns the photos and recordings of a record, oldest first, about 300 at most.

        Raises `replica.no_record`.
        """
        return lift_all(AttachmentInfo, call(self._raw.attachments, record))

    def thumbnail(self, id: str, *, record: str | None = None) -> bytes | None:
        """Returns the small picture of a photo: JPEG, at most 6 KiB and 224 pixels; `None` for a recording.

        It arrives with the record, before the photo. Without `record`, the photo is a staged one.
        Raises `media.unknown_id`.
        """
        return call(self._raw.thumbnail, record, id)

    def read_attachment(
        self,
        id: str,
        *,
        record: str | None = None,
        offset: int = 0,
        max_bytes: int = WHOLE_BYTES,
    ) -> bytes:
        """Returns bytes of a photo or recording that is on this phone; without limits, the whole file.

        The answer is shorter than `max_bytes` (1 to 8 MiB) only at the end of the file, and empty behind it.
        Without `record`, it is a staged one. Raises `media.unknown_id`; `media.absent` if the file is not on
        this phone (`want_attachment` asks for it); `media.unreadable` if it is damaged. A damaged file that the
        server has is asked for again by itself.
        """
        return call(self._raw.read_attachment, record, id, offset, max_bytes)

    def want_attachment(self, record: str, id: str) -> None:
        """Asks for a photo or recording that is not on this phone; the next sync that transfers files fetches it.

        Raises `media.unknown_id`.
        """
        call(self._raw.want_attachment, record, id)

    def refused_attachments(self) -> tuple[AttachmentInfo, ...]:
        """Returns own photos and recordings that stay here although the server does not take them, oldest first.

        It refused the file (`send_again`), or the words about it do not count, or their record is no longer here
        (`remove_void_attachment`).
        """
        return lift_all(AttachmentInfo, call(self._raw.refused_attachments))

    def send_again(self, record: str, id: str) -> None:
        """Sends a file again that the server refused, or that could not be read, with the next sync of files.

        Raises `media.unknown_id` if no refused file of the record has this id.
        """
        call(self._raw.send_again, record, id)

    def remove_void_attachment(self, record: str, id: str) -> None:
        """Removes an own photo or recording that no record shows. It may be the only copy.

        Raises `media.unknown_id` if a record shows it, or another person added it.
        """
        call(self._raw.remove_void_attachment, record, id)

    def set_low_storage(self, low: bool) -> None:
        """Notes whether storage is short, until the phone is shut.

        While it is, files that the server has are removed after each sync; their small pictures stay.
        """
        call(self._raw.set_low_storage, low)

    def free_space(self, size: int) -> int:
        """Removes files that the server confirmed until `size` bytes are free, and returns the freed bytes.

        The file opened longest ago goes first. Staged files and files that wait to be sent stay.
        """
        return call(self._raw.free_space, size)

    def set_files_policy(self, policy: FilesPolicy) -> None:
        """Says whether syncs transfer photos and recordings, until the phone is shut.

        With `FilesPolicy.ON_REQUEST` only `Phone.sync_files` transfers them.
        """
        call(self._raw.set_files_policy, policy)
