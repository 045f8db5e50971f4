"""From a text to its tokens. Our own, because a keyword has to be a whole word: lark would read `a andb`."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from backproof.engine.rules.grammar import NAME, NUMBER, SPACE, TERMINALS
from backproof.engine.rules.problems import Place

WORDS = {text: name for name, texts in TERMINALS.items() for text in texts if text.isidentifier()}
SYMBOLS = {text: name for name, texts in TERMINALS.items() for text in texts if not text.isidentifier()}

_SYMBOL = "|".join(re.escape(text) for text in sorted(SYMBOLS, key=len, reverse=True))
_TOKEN = re.compile(f"(?:{SPACE})?(?:(?P<NAME>{NAME})|(?P<NUMBER>{NUMBER})|(?P<symbol>{_SYMBOL})|(?P<end>$))", re.ASCII)


class Piece(NamedTuple):
    """A token, with what lark's parser asks of one: its type is the name of a terminal, its place in characters."""

    type: str
    text: str
    start_pos: int
    end_pos: int
    line: int | None = None  # lark asks for these, and nobody reads them
    column: int | None = None
    end_line: int | None = None
    end_column: int | None = None

    @property
    def place(self) -> Place:
        return (self.start_pos, self.end_pos)


class NoToken(Exception):
    """Nothing of the language begins with the character at `at`."""

    def __init__(self, at: int) -> None:
        super().__init__(at)
        self.at = at


def pieces(text: str) -> Iterator[Piece]:
    """The tokens of a text in their order; raises NoToken."""
    at, match = 0, _TOKEN.match
    while True:
        found = match(text, at)
        if found is None:
            space = re.compile(SPACE).match(text, at)
            raise NoToken(space.end() if space else at)
        kind = found.lastgroup or "end"
        if kind == "end":
            return
        start, at = found.span(kind)
        token = found[kind]
        if kind == "symbol":
            kind = SYMBOLS[token]
        elif kind == "NAME":
            kind = WORDS.get(token, kind)
        yield Piece(kind, token, start, at)
