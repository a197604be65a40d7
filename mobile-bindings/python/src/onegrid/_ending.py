"""The end of a program: releases the core before the interpreter ends.

The core has threads of its own that call into Python: they ask a vault, call a listener, and release an object of the
program when the core no longer needs it. CPython ends a thread that asks for the interpreter lock while the interpreter
ends. A thread of Rust does not survive that, and the whole process aborts. So everything is shut and released first,
and the end waits until the core holds no more objects of the program.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import sys
import time
import weakref
from typing import Any, Protocol

from onegrid import _ffi
from onegrid._ffi import onegrid_ffi

WAIT_S = 5.0
"""How long the end of a program waits for a callback that does not return."""

HOST_TRAITS = (
    "ChangeListener",
    "KeyVault",
    "LogSink",
    "NotificationListener",
    "StatusListener",
)
"""The objects that a program hands to the core."""


class Holder(Protocol):
    """An object that holds a part of the core."""

    def _let_go(self) -> None:
        """Shuts and releases it for good."""


_holders: weakref.WeakSet[Holder] = weakref.WeakSet()


def register(holder: Holder) -> None:
    """Makes sure that a holder is released before the interpreter ends."""
    _holders.add(holder)


def held_by_core() -> int:
    """Returns how many objects of the program the core holds."""
    maps: list[Any] = [
        getattr(onegrid_ffi, f"_UniffiFfiConverterType{name}")._handle_map for name in HOST_TRAITS
    ]
    return sum(len(handles) for handles in maps)


def release(raw: Any) -> None:
    """Gives a handle back to the core, even while a traceback still refers to the object that holds it."""
    if getattr(raw, "_handle", None) is not None:
        raw.__del__()
        raw._handle = None


@atexit.register
def _end() -> None:
    for holder in tuple(_holders):
        with contextlib.suppress(Exception):
            holder._let_go()
    with contextlib.suppress(Exception):
        _ffi.clear_log_sink()
    gc.collect()
    # A thread that releases the last object keeps the interpreter lock until it has left Python, because no
    # other thread asks for the lock in between. So once no object is held, no thread of the core needs Python.
    sys.setswitchinterval(WAIT_S)
    deadline = time.monotonic() + WAIT_S
    while held_by_core() > 0 and time.monotonic() < deadline:
        time.sleep(0.001)
