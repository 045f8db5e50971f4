"""From a text to its tree, or to the mistakes that kept it from having one. Hostile texts cost as little as good ones.

Lark's LALR parser keeps its own stack, so no text is too deep for it; what comes out is measured before anything walks
it by recursion.
"""

import unicodedata
from collections.abc import Collection
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from backproof.engine.rules.grammar import KEYWORDS
from backproof.engine.rules.lexer import NoToken
from backproof.engine.rules.problems import Place, nearest, short
from backproof.engine.rules.tree import Name, Node, Number, walk

if TYPE_CHECKING:
    from lark import Lark
    from lark.exceptions import UnexpectedToken

MOST_CHARACTERS = 4_000  # of one text
MOST_DEPTH = 32  # of a tree, named values put in
GREATEST_NUMBER = 1e15
_MOST_STRANGERS = 5  # different characters that are no ASCII, of which a text is told at once


class Mistake(NamedTuple):
    """A Problem of a text whose pointer is not known yet."""

    place: Place
    code: str
    reason: str
    suggestion: str | None = None


class Parsed(NamedTuple):
    """tree: None when there are mistakes; its number of nodes, its depth, and the names of its Name nodes"""

    tree: Node | None
    mistakes: tuple[Mistake, ...]
    nodes: int = 0
    depth: int = 0
    names: frozenset[str] = frozenset()


def parse(text: str) -> Parsed:
    """The tree of one text; every mistake that can be seen without knowing the names."""
    if len(text) > MOST_CHARACTERS:
        reason = f"a rule has at most {MOST_CHARACTERS:,} characters, and this one has {len(text):,}"
        return Parsed(None, (Mistake((MOST_CHARACTERS, MOST_CHARACTERS + 1), "too_long", reason),))
    return _parse(text)


@lru_cache(maxsize=1024)
def _parse(text: str) -> Parsed:
    from lark.exceptions import UnexpectedToken

    if not text.strip():
        return Parsed(None, (Mistake((0, 0), "empty_rule", "there is no text"),))
    if not text.isascii():
        return Parsed(None, _strangers(text))
    try:
        tree: Node = _parser().parse(text)  # type: ignore[assignment]
    except UnexpectedToken as error:
        return Parsed(None, (_unexpected(text, error),))
    except NoToken as error:
        return Parsed(None, (_no_token(text, error.at),))
    return _measured(tree)


def _measured(tree: Node) -> Parsed:
    count, deepest, names = 0, 0, set()
    for node, depth in walk(tree):
        deepest = max(deepest, depth)
        if depth > MOST_DEPTH:
            reason = f"a rule is nested at most {MOST_DEPTH} levels deep"
            return Parsed(None, (Mistake(node.place, "too_deep", reason),))
        count += 1
        if isinstance(node, Name):
            names.add(node.name)
        elif isinstance(node, Number) and node.value > GREATEST_NUMBER:
            reason = f"a number is at most {GREATEST_NUMBER:g}"
            return Parsed(None, (Mistake(node.place, "number_too_great", reason),))
    return Parsed(tree, (), count, deepest, frozenset(names))


@cache
def _parser() -> "Lark":
    from backproof.engine.rules.builder import make_parser

    return make_parser()


# ---- what is wrong ----------------------------------------------------------------------------------------------

_INSTEAD = {
    "=": ("equality is written ==", "=="),
    "&": ("both conditions are joined by and", "and"),
    "|": ("one of two conditions is asked for by or", "or"),
    "!": ("a condition is turned round by not", "not"),
    "%": ("there is no operator %; a fraction is written 0.05", None),
    "^": ("there is no operator ^; a square is x * x", None),
    ".": ("a name has no parts; the last bar's close is close[1]", None),
}
_LOOK_ALIKES = {
    **dict(zip("аеорсухіјѕһԁԛԝ", "aeopcyxijshdqw", strict=True)),
    **dict(zip("ΑΒΕΖΗΙΚΜΝΟΡΤΥΧοα", "ABEZHIKMNOPTYXoa", strict=True)),
    "≤": "<=",
    "≥": ">=",
    "≠": "!=",
    "−": "-",
    "–": "-",
    "—": "-",
    "×": "*",
    "÷": "/",
    "∧": "and",
    "∨": "or",
    "¬": "not",
    "∙": "*",
    "·": "*",
    "‹": "<",
    "›": ">",
    "⁄": "/",
    "∕": "/",
    "،": ",",
    "٫": ".",
    "⟨": "<",
}


def _strangers(text: str) -> tuple[Mistake, ...]:
    """Characters that only look like those of the language, or not even that."""
    found: dict[str, Mistake] = {}
    for at, character in enumerate(text):
        if character.isascii() or character in found:
            continue
        name = unicodedata.name(character, "a character without a name")
        plain = _LOOK_ALIKES.get(character) or unicodedata.normalize("NFKC", character)
        like = plain if plain.isascii() and plain.strip() else None
        reason = f"rules are written in ASCII, and this is U+{ord(character):04X} ({name})"
        found[character] = Mistake((at, at + 1), "not_ascii", reason, like)
        if len(found) == _MOST_STRANGERS:
            break
    return tuple(found.values())


def _no_token(text: str, at: int) -> Mistake:
    reason, suggestion = _INSTEAD.get(text[at], ("this character has no meaning in a rule", None))
    stop = at + len(text[at:]) - len(text[at:].lstrip(text[at]))  # && is one mistake
    return Mistake((at, stop), "syntax_error", reason, suggestion)


def _unexpected(text: str, error: "UnexpectedToken") -> Mistake:
    token: Any = error.token  # a Piece, or lark's own at the end of the text
    expected = error.expected
    if token.type == "$END":
        at = len(text.rstrip())
        return Mistake((at, at + 1), "syntax_error", f"the text ends too early: {_missing(expected)}")
    given, place = short(token.text), token.place
    suggestion = None
    if token.type == "COMPARISON" and "NUMBER" not in expected:
        reason = "comparisons do not chain: a < b < c is written a < b and b < c"
    elif "NUMBER" in expected:
        reason = f"a value was expected here, not {given}"
    elif token.type == "OPENING":
        reason = "only a function has parentheses behind it; a product is written a * b"
    elif token.type in ("NAME", "NUMBER", "NOT"):
        reason, suggestion = f"an operator was expected here, not {given}", nearest(given, KEYWORDS)
    else:
        reason = f"{given} does not belong here: {_missing(expected)}"
    return Mistake(place, "syntax_error", reason, suggestion)


def _missing(expected: Collection[str]) -> str:
    if "NUMBER" in expected:
        return "a value is missing"
    if "CLOSING" in expected:
        return "a ) is missing"
    return "a ] is missing" if "END_AGO" in expected else "there is nothing to close"
