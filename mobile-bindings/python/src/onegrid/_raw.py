"""Names of the generated code that a type checker cannot follow, because it puts them together as it runs."""

from __future__ import annotations

from typing import Any

from onegrid import _ffi

FieldValue: Any = _ffi.FieldValue
ListenerError: Any = _ffi.ListenerError
OneGridError: Any = _ffi.OneGridError
PipeError: Any = _ffi.PipeError
VaultError: Any = _ffi.VaultError
