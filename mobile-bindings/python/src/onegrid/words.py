"""Words of the domain in Chinese and English."""

from __future__ import annotations

from dataclasses import dataclass

from onegrid._ffi import Language

__all__ = ["Language", "Word"]


@dataclass(frozen=True, slots=True)
class Word:
    """A stable code with its name in both languages."""

    code: str
    """The stable code, such as `dispatched`. Compare codes, show names."""
    zh: str
    """The name in Chinese."""
    en: str
    """The name in English."""

    def say(self, language: Language) -> str:
        """Returns the name in `language`."""
        return self.zh if language is Language.ZH else self.en

    def __str__(self) -> str:
        return f"{self.zh} / {self.en}"
