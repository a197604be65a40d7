"""Lists in pages."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

__all__ = ["ROWS_A_PAGE", "Page"]

T = TypeVar("T")

ROWS_A_PAGE = 50
"""Rows of a page by default."""


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """One page of a list. Iterating over it gives its items."""

    items: tuple[T, ...]
    """The items."""
    next: str | None
    """The token of the next page, for `page`; `None` at the end."""

    def __iter__(self) -> Iterator[T]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)


def items_of(read: Callable[[str | None], Page[T]]) -> Iterator[T]:
    """Yields the items of all pages and reads a page only when it is needed."""
    token: str | None = None
    while True:
        page = read(token)
        yield from page.items
        if page.next is None:
            return
        token = page.next
