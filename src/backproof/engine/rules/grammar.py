"""The grammar of rules: what the parser is made of and what the reference page shows."""

import re

from backproof.engine.rules.tree import COMPARISONS, CROSSINGS

FIELDS = {
    "open": "the bar's first price",
    "high": "the bar's highest price",
    "low": "the bar's lowest price",
    "close": "the bar's last price",
    "volume": "shares traded in the bar, as the data have them: not adjusted for splits",
}
HELD = "bars_held"
HELD_MEANS = "own bars since the bar of the entry, 0 at its close; undefined without a position; in exit rules only"
KEYWORDS = {
    "and": "true when both sides are true, false when one is false",
    "or": "true when one side is true, false when both are false",
    "not": "true when the condition is false, false when it is true",
    "crosses_above": "`a crosses_above b`: a > b, and a <= b on the bar before",
    "crosses_below": "`a crosses_below b`: a < b, and a >= b on the bar before",
}
RESERVED = frozenset({*FIELDS, HELD, *KEYWORDS})

TERMINALS: dict[str, tuple[str, ...]] = {
    "OR": ("or",),
    "AND": ("and",),
    "NOT": ("not",),
    "COMPARISON": (*COMPARISONS, *CROSSINGS),
    "PLUS": ("+",),
    "MINUS": ("-",),
    "TIMES": ("*",),
    "OVER": ("/",),
    "OPENING": ("(",),
    "CLOSING": (")",),
    "COMMA": (",",),
    "AGO": ("[",),
    "END_AGO": ("]",),
}
NUMBER = r"[0-9]+(\.[0-9]*)?([eE][+-]?[0-9]+)?|\.[0-9]+([eE][+-]?[0-9]+)?"
NAME = r"[A-Za-z_][A-Za-z0-9_]*"
SPACE = r"[ \t\r\n]+"

# From the loosest to the tightest. Every level is a step of the parser for every name in a text, so there are no more
# than needed: of the operators in one line those of TIGHTER bind tighter, which the builder sees to.
RULES = """\
?condition: test ((AND | OR) test)*
?test: NOT test -> negation
     | sum COMPARISON sum -> comparison
     | sum
?sum: factor ((PLUS | MINUS | TIMES | OVER) factor)*
?factor: MINUS factor
       | value
?value: NUMBER -> number
      | NAME -> name
      | NAME OPENING [condition (COMMA condition)*] CLOSING -> call
      | value AGO condition END_AGO -> lag
      | OPENING condition CLOSING -> within
"""
TIGHTER = frozenset({"and", "*", "/"})


def for_lark() -> str:
    """The whole grammar as lark reads it; the lexer is our own, so patterns are named only."""
    return f"{RULES}\n%declare NUMBER NAME {' '.join(TERMINALS)}\n"


def for_people() -> str:
    """The whole grammar in extended Backus-Naur form."""
    shown = {name: f'"{texts[0]}"' for name, texts in TERMINALS.items() if name != "COMPARISON"}
    text = re.sub(r"\b[A-Z_]+\b", lambda found: shown.get(found[0], found[0]), RULES)
    lines = ["    " + line.lstrip() if line[0] == " " else line for line in text.replace("?", "").splitlines()]
    lines = [line.split(" -> ")[0] for line in lines]
    lines.append("COMPARISON: " + " | ".join(f'"{text}"' for text in TERMINALS["COMPARISON"]))
    lines += [f"NUMBER: /{NUMBER}/", f"NAME: /{NAME}/"]
    return "\n".join(lines)
