"""What can be wrong in a rule text: where it is, what it is called, what to write instead."""

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from typing import TypeAlias

Place: TypeAlias = tuple[int, int]
"""Characters [start, stop) of a text."""

_AROUND = 30  # characters of the text shown to each side of a mistake
_LONGEST_NAME = 40  # of a wrong name that is shown or looked up


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake in one text.

    pointer: JSON pointer of the text within the parameters ("/entry")
    code:    stable, snake_case
    reason:  a sentence without the place
    line, column, stop: counted from 1, `stop` is the column after the last wrong character of that line
    excerpt: the line of the text, or the part of it around the mistake; caret: spaces and ^ to print below it
    suggestion: what was probably meant, to be put there; None when nothing is near
    """

    pointer: str
    code: str
    reason: str
    line: int
    column: int
    stop: int
    excerpt: str
    caret: str
    suggestion: str | None = None

    @classmethod
    def at(
        cls, pointer: str, text: str, place: Place, code: str, reason: str, suggestion: str | None = None
    ) -> "Problem":
        start = min(place[0], len(text))
        begin = text.rfind("\n", 0, start) + 1
        newline = text.find("\n", start)
        end = len(text) if newline < 0 else newline
        stop = max(min(place[1], end, start + 2 * _AROUND), start + 1)
        first, last = max(begin, start - _AROUND), min(end, stop + _AROUND)
        before, after = "…" if first > begin else "", "…" if last < end else ""
        marked = min(stop, last + 1) - start
        return cls(
            pointer=pointer,
            code=code,
            reason=reason,
            line=text.count("\n", 0, start) + 1,
            column=start - begin + 1,
            stop=stop - begin + 1,
            excerpt=f"{before}{_shown(text[first:last])}{after}",
            caret=" " * (len(before) + start - first) + "^" * marked,
            suggestion=suggestion,
        )

    @property
    def message(self) -> str:
        """One line with everything: what is wrong, where, and the text with the wrong part between « and »."""
        first, size = len(self.caret) - len(self.caret.lstrip(" ")), self.caret.count("^")
        text = self.excerpt
        marked = f"{text[:first]}«{text[first : first + size]}»{text[first + size :]}".strip()
        hint = "" if self.suggestion is None else f"; did you mean {self.suggestion}?"
        return f"{self.reason}{hint} (line {self.line}, column {self.column}: {marked})"


def _shown(text: str) -> str:
    """Control characters would move the caret."""
    return "".join(character if character.isprintable() else " " for character in text)


def short(name: str) -> str:
    """A name as a message shows it."""
    return name if len(name) <= _LONGEST_NAME else f"{name[:_LONGEST_NAME]}…"


@lru_cache(maxsize=2048)
def _nearest(name: str, known: tuple[str, ...]) -> str | None:
    found = get_close_matches(name.lower(), known, n=1, cutoff=0.6)
    return found[0] if found else None


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that a wrong one most resembles."""
    return _nearest(name[:_LONGEST_NAME], tuple(known))
