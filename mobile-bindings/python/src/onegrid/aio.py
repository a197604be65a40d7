"""OneGrid for programs that use `asyncio`: blocking methods in worker threads, event streams as async iterators.

```python
report = await aio.call(phone.sync_once, time=timedelta(seconds=25))
async with aio.stream(phone.changes()) as changes:
    async for change in changes:
        redraw(change.records)
```
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncIterator, Callable
from types import TracebackType
from typing import Generic, ParamSpec, TypeVar

from onegrid.events import EventStream
from onegrid.phone import Phone

__all__ = ["AsyncStream", "call", "stream"]

INTERRUPTIBLE = (
    "plan",
    "sync_once",
    "sync_files",
    "enrol",
    "accept_meeting",
    "meet",
    "meet_at",
    "meet_over",
)

P = ParamSpec("P")
T = TypeVar("T")


async def call(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Awaits a blocking method, such as `phone.sync_once`, in a worker thread.

    When the task is cancelled, `Phone.cancel` interrupts `plan`, `sync_once`, `sync_files`, `enrol` and meetings,
    which end within a second; any other call finishes first. Raises the errors of the method.
    """
    worker = asyncio.ensure_future(asyncio.to_thread(functools.partial(function, *args, **kwargs)))
    try:
        return await asyncio.shield(worker)
    except asyncio.CancelledError:
        phone = getattr(function, "__self__", None)
        name = getattr(function, "__name__", "")
        while not worker.done():
            if isinstance(phone, Phone) and name in INTERRUPTIBLE:
                # The cancel is repeated, because a cancel before the call has begun has no effect.
                phone.cancel()
            await asyncio.wait((worker,), timeout=0.1)
        if not worker.cancelled():
            worker.exception()  # Taken, so that asyncio does not warn of it.
        raise


def stream(events: EventStream[T]) -> AsyncStream[T]:
    """Returns an event stream, such as `phone.changes()`, as an async iterator of the running loop."""
    return AsyncStream(events)


class AsyncStream(Generic[T]):
    """Events as an async iterator. It ends after `close`, the end of an `async with` block, or `Phone.shut`."""

    def __init__(self, events: EventStream[T]) -> None:
        """Made by `stream`."""
        self._events = events
        self._arrived = asyncio.Event()
        loop = asyncio.get_running_loop()

        def wake() -> None:
            # A closed loop runs nothing any more.
            if not loop.is_closed():
                loop.call_soon_threadsafe(self._arrived.set)

        events._wake_with(wake)

    def close(self) -> None:
        """Ends the stream."""
        self._events.close()

    def __aiter__(self) -> AsyncIterator[T]:
        return self

    async def __anext__(self) -> T:
        while True:
            self._arrived.clear()
            event = self._events.get(0)
            if event is not None:
                return event
            if self._events.closed:
                raise StopAsyncIteration
            await self._arrived.wait()

    async def __aenter__(self) -> AsyncStream[T]:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
