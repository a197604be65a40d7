"""Events: changed records, the state of the connection, and notifications.

There are two ways to hear them. A callback (`Phone.on_changes` and its sisters) is called on a thread of
OneGrid. A stream (`Phone.changes` and its sisters) is read by the program's own thread:

```python
with phone.changes() as changes:
    for change in changes:
        redraw(change.records)
```

Events that come while the program is busy are merged, so a slow program costs no memory and delays no other.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable
from datetime import timedelta
from types import TracebackType
from typing import Generic, Protocol, TypeVar

from onegrid import _ending, _ffi, _raw
from onegrid._border import call, lift, lift_all
from onegrid.inputs import seconds_of
from onegrid.notices import Notification
from onegrid.syncing import RecordChanges, SyncStatus

__all__ = ["EventStream", "Subscription"]

T = TypeVar("T")

RECORDS_NAMED_MAX = 1_000
"""Records that a change names one by one; beyond them `all` means every record. The core has the same limit."""


class Handle(Protocol):
    """The core's end of a subscription."""

    def cancel(self) -> None:
        """Ends it."""


class Subscription:
    """A callback that is called until `cancel`, the end of a `with` block, or `Phone.shut`.

    It also ends when the last reference to it goes away, so keep it.
    """

    def __init__(self, handle: Handle) -> None:
        """Made by `Phone.on_changes`, `Phone.on_status` and `Phone.on_notifications`."""
        self._handle = handle
        _ending.register(self)

    def cancel(self) -> None:
        """Ends the subscription. A call that runs already finishes, and no further call begins."""
        call(self._handle.cancel)

    def _let_go(self) -> None:
        _ending.release(self._handle)

    def __enter__(self) -> Subscription:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.cancel()


class EventStream(Generic[T]):
    """Events as an iterator. It ends after `close`, the end of a `with` block, or `Phone.shut`."""

    def __init__(self, merge: Callable[[T, T], T]) -> None:
        """Made by `Phone.changes`, `Phone.status_changes` and `Phone.notifications_stream`."""
        self._merge = merge
        self._ready = threading.Condition()
        self._pending: T | None = None
        self._closed = False
        self._subscription: Subscription | None = None
        self._wake: Callable[[], None] | None = None

    def get(self, timeout: float | timedelta | None = None) -> T | None:
        """Returns the next event, merged from all that came since the last one.

        Waits at most `timeout` (seconds, or a `timedelta`; `None` waits without end) and returns `None` if no
        event came or the stream is closed.
        """
        with self._ready:
            self._ready.wait_for(
                lambda: self._pending is not None or self._closed, seconds_of(timeout)
            )
            event, self._pending = self._pending, None
            return event

    @property
    def closed(self) -> bool:
        """Whether the stream has ended."""
        return self._closed

    def close(self) -> None:
        """Ends the stream. A thread that waits in `get` gets `None` at once."""
        if self._subscription is not None:
            self._subscription.cancel()
        self._end()

    def __iter__(self) -> EventStream[T]:
        return self

    def __next__(self) -> T:
        event = self.get()
        if event is None:
            raise StopIteration
        return event

    def __enter__(self) -> EventStream[T]:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _wake_with(self, wake: Callable[[], None]) -> None:
        """Calls `wake` on any thread after each event and at the end of the stream, from now on."""
        with self._ready:
            self._wake = wake
        wake()

    def _end(self) -> None:
        with self._ready:
            self._closed = True
            self._ready.notify_all()
            wake = self._wake
        if wake is not None:
            wake()

    def _put(self, event: T) -> None:
        with self._ready:
            if self._closed:
                return
            pending = self._pending
            self._pending = event if pending is None else self._merge(pending, event)
            self._ready.notify_all()
            wake = self._wake
        if wake is not None:
            wake()


def merged_changes(old: RecordChanges, new: RecordChanges) -> RecordChanges:
    """Merges two changes into one."""
    records = tuple(dict.fromkeys(old.records + new.records))
    return RecordChanges(
        records=records[:RECORDS_NAMED_MAX],
        all=old.all or new.all or len(records) > RECORDS_NAMED_MAX,
        directory=old.directory or new.directory,
        notices=old.notices or new.notices,
    )


def fed(
    merge: Callable[[T, T], T], subscribe: Callable[[Callable[[T], None]], Subscription]
) -> EventStream[T]:
    """Returns a stream fed by a subscription. The callback holds it weakly, so a forgotten stream ends."""
    stream = EventStream(merge)
    weak = weakref.ref(stream)

    def put(event: T) -> None:
        alive = weak()
        if alive is not None:
            alive._put(event)

    stream._subscription = subscribe(put)
    return stream


class ChangeAdapter(_ffi.ChangeListener):
    """Calls a callback of the program with changes."""

    def __init__(self, callback: Callable[[RecordChanges], None]) -> None:
        self._callback = callback

    def changed(self, changes: _ffi.RecordChanges) -> None:
        """Called by the core."""
        told(self._callback, lift(RecordChanges, changes))


class StatusAdapter(_ffi.StatusListener):
    """Calls a callback of the program with the status."""

    def __init__(self, callback: Callable[[SyncStatus], None]) -> None:
        self._callback = callback

    def status(self, status: _ffi.SyncStatus) -> None:
        """Called by the core."""
        told(self._callback, lift(SyncStatus, status))


class NotificationAdapter(_ffi.NotificationListener):
    """Calls a callback of the program with notifications."""

    def __init__(self, callback: Callable[[tuple[Notification, ...]], None]) -> None:
        self._callback = callback

    def notifications(self, notifications: list[_ffi.Notification]) -> None:
        """Called by the core."""
        told(self._callback, lift_all(Notification, notifications))


def told(callback: Callable[[T], None], event: T) -> None:
    """Calls a callback of the program. The core logs any exception, and stops it there."""
    try:
        callback(event)
    except BaseException as error:
        raise _raw.ListenerError.Failed(type(error).__name__) from None
