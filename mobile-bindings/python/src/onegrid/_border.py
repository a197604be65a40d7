"""The border to the compiled core: every call passes here, and so do values on their way in and out.

Core speaks in generated records with milliseconds; programs get frozen dataclasses with `datetime`. Fields keep
their names, except that `created_ms` becomes `created_at`, because it is a point in time.
"""

from __future__ import annotations

import dataclasses
import functools
import types
import typing
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, ParamSpec, TypeVar

from onegrid import _ffi, _raw, errors
from onegrid.words import Language

P = ParamSpec("P")
T = TypeVar("T")

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)

# The generated code writes the length of a text in a signed 32-bit number of bytes.
TEXT_CHARS_MAX = 2**29


def call(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Calls the core and raises the errors of this package.

    Texts are checked first: the generated code would fail on a lone surrogate after it has taken a reference
    to the handle, and never give it back, so that the account could not be shut.
    """
    expect_texts(args)
    try:
        return function(*args, **kwargs)
    except _raw.OneGridError as error:
        raise errors.lifted(error) from None
    except _ffi.InternalError as error:
        raise errors.of(errors.BugError, "phone.bug") from error
    except (ValueError, OverflowError) as error:
        # A number outside the range of its type; the generated code found it before it called.
        raise errors.of(errors.BadInputError, "replica.bad_input") from error


def expect_texts(values: Iterable[object]) -> None:
    """Raises `text.bad_character` or `text.too_long` for a text that cannot cross the border."""
    for value in values:
        if isinstance(value, str):
            if len(value) > TEXT_CHARS_MAX:
                raise errors.of(errors.BadInputError, "text.too_long")
            try:
                value.encode()
            except UnicodeEncodeError as error:
                raise errors.of(errors.BadInputError, "text.bad_character") from error
        elif isinstance(value, list | tuple):
            expect_texts(value)
        elif type(value).__module__.startswith(_ffi.__name__):
            expect_texts(getattr(value, "__dict__", {}).values())


def sentences(code: str) -> tuple[str, str]:
    """Returns the sentence of a code in Chinese and in English."""
    return call(_ffi.sentence, code, Language.ZH), call(_ffi.sentence, code, Language.EN)


def time_of(ms: int) -> datetime:
    """Returns the time of milliseconds since 1970 UTC; a time outside the years 1 to 9999 becomes the nearest."""
    try:
        return EPOCH + timedelta(milliseconds=ms)
    except OverflowError:
        limit = datetime.max if ms > 0 else datetime.min
        return limit.replace(tzinfo=UTC)


def ms_of(time: datetime | None) -> int | None:
    """Returns milliseconds since 1970 UTC. A time without a zone is refused, because it is ambiguous."""
    if time is None:
        return None
    if time.tzinfo is None:
        raise ValueError("a time needs a zone: datetime.now(UTC), not datetime.now()")
    return (time - EPOCH) // MILLISECOND


def period_of(since: datetime | None, until: datetime | None) -> tuple[int, int]:
    """Returns the ends of a period in milliseconds since 1970 UTC; an absent end is open."""
    first, last = ms_of(since), ms_of(until)
    return -(2**63) if first is None else first, 2**63 - 1 if last is None else last


def span_of(span: timedelta | None) -> int | None:
    """Returns whole milliseconds of a duration."""
    return None if span is None else span // MILLISECOND


@functools.cache
def lifter(shape: Any) -> Callable[[Any], Any]:
    """Returns the function that converts a value of the core into a value of type `shape`."""
    origin = typing.get_origin(shape)
    if origin is types.UnionType or origin is typing.Union:
        parts = [part for part in typing.get_args(shape) if part is not types.NoneType]
        if len(parts) > 1:
            return content_of
        inner = lifter(parts[0])
        return lambda raw: None if raw is None else inner(raw)
    if origin is tuple:
        item = lifter(typing.get_args(shape)[0])
        return lambda raw: tuple([item(each) for each in raw])
    if shape is datetime:
        return time_of
    if dataclasses.is_dataclass(shape):
        return functools.partial(_dataclass_of, shape, _fields_of(shape))
    return lambda raw: raw


def lift(shape: type[T], raw: object) -> T:
    """Converts a record of the core into the dataclass `shape`."""
    return typing.cast(T, lifter(typing.cast(Any, shape))(raw))


def lift_all(shape: type[T], raws: Iterable[object]) -> tuple[T, ...]:
    """Converts a list of records of the core into a tuple of the dataclass `shape`."""
    one = lifter(typing.cast(Any, shape))
    return tuple([one(raw) for raw in raws])


def raw_name(field: str, shape: Any) -> str:
    """Returns the core's name of a field: times end in `_ms` there, and `class_` is `_class`."""
    if field.endswith("_"):
        return f"_{field[:-1]}"
    is_time = shape is datetime or datetime in typing.get_args(shape)
    if not is_time:
        return field
    return f"{field}_ms" if field == "at" else f"{field.removesuffix('_at')}_ms"


def _fields_of(shape: Any) -> tuple[tuple[str, Callable[[Any], Any]], ...]:
    hints = typing.get_type_hints(shape)
    return tuple(
        (raw_name(field.name, hints[field.name]), lifter(hints[field.name]))
        for field in dataclasses.fields(shape)
    )


def _dataclass_of(
    shape: Any, fields: tuple[tuple[str, Callable[[Any], Any]], ...], raw: object
) -> Any:
    return shape(*[convert(getattr(raw, name)) for name, convert in fields])


def content_of(raw: Any) -> Any:
    """Returns the plain Python value of a field of content; `None` stays `None`."""
    if raw is None:
        return None
    if isinstance(raw, _raw.FieldValue.POSITION):
        from onegrid.inputs import Position

        return lift(Position, raw.position)
    if isinstance(raw, _raw.FieldValue.TEXT):
        return raw.text
    if isinstance(raw, _raw.FieldValue.NUMBER):
        return raw.number
    return raw.flag
