"""The reference page of the language, made from the grammar, the table of functions and the limits themselves."""

from backproof.engine.rules.functions import FUNCTIONS, MOST_WINDOW, Function, Parameter
from backproof.engine.rules.grammar import FIELDS, HELD, HELD_MEANS, KEYWORDS, for_people
from backproof.engine.rules.parser import GREATEST_NUMBER, MOST_CHARACTERS, MOST_DEPTH
from backproof.engine.rules.rulebook import MOST_NODES, MOST_VALUES, MOST_WORK

CODES = {
    "empty_rule": "there is no text",
    "too_long": "a text has too many characters",
    "not_ascii": "a character that only looks like one of the language, such as a Cyrillic letter or ≥",
    "syntax_error": "the text does not follow the grammar; the first such place of each text is told",
    "number_too_great": f"a number is above {GREATEST_NUMBER:g}",
    "unknown_name": "a name is no price and no named value",
    "unknown_function": "a name with parentheses is no function",
    "wrong_count": "a function has too few or too many arguments",
    "wrong_type": "a number stands where a condition is needed, or the other way round",
    "bad_window": "a window is an expression, no whole number or out of its limits",
    "bad_constant": "a constant of a function is an expression or out of its limits",
    "bad_lag": "a lag is an expression, no whole number or too great",
    "future_lag": "a lag is negative: it would look into the future",
    "misplaced_bars_held": "bars_held stands outside of an exit, or where its past would be needed",
    "reserved_name": "a named value is called like a word of the language",
    "bad_name": "a named value has a name that cannot be written in a rule",
    "circular_value": "named values refer to each other in a circle",
    "too_deep": "a rule is nested too deep",
    "too_many_parts": "all texts together have too many parts",
    "too_much_work": "all rules together would take too long on every bar",
    "no_rules": "there is no entry, short_entry or rank",
    "needs_rank": "a parameter of a rotation is set without a rank",
    "needs_top": "a rank is set without top",
    "not_with_rank": "a parameter is set that a rotation has no use for",
    "needs_entry": "an exit is set without the entry whose position it would end",
    "needs_price": "a limit or stop order has no price",
    "no_price": "a market order has a price",
    "does_not_wait": "a market order is to wait",
    "no_volume": "a rule reads volume and the data have none (found when the run begins)",
    "direction_mismatch": "the direction leaves the rules nothing to do",
    "needs_next_open": "limit and stop orders are set with another fill than next_open",
    "needs_next_bar": "bars_held is used with fill same_close",
}

_HEAD = f"""# The language of rules

Made by `scripts/make_rules_page.py` from the grammar and the functions themselves; a test holds it to them. For a first
rule see [writing rules](../guides/writing-rules.md).

A rule is a condition (`entry`, `exit`, `short_entry`, `short_exit`) or a number (`rank`, `entry_order.price`). It is
evaluated at the close of every bar of every symbol, and sees that close and what came before, never anything later.

## Values

* **On own bars.** Everything is defined on a symbol's own bars and nowhere else: lags and windows count those, a day
  without a bar is skipped. A constant is the same on every own bar. Prices are adjusted, in raw mode too.
* **Undefined.** A number is undefined before enough bars are there, where one of its parts is undefined, where
  something is divided by zero, where a root is taken of a negative number, and where the result would be infinite.
  Functions of an expression leave out the bars on which it is undefined, as if they were missing, and are undefined
  there.
* **Conditions are true, false or undefined.** A comparison is undefined where one of its sides is. `a and b` is false
  when one is false, true when both are true, else undefined. `a or b` is true when one is true, false when both are
  false, else undefined. `not` undefined is undefined. Undefined is no signal: a rule acts where it is true.
* **Lags.** `x[k]` is what x was k own bars ago, k a whole number or a named value from 0 to {MOST_WINDOW:,}; `x[0]` is
  x. Numbers and conditions have lags: `(close > open)[1]`, `sma(close, 20)[5]`.
* **Windows** are whole numbers or named values, never expressions. **Names** are lower case.
* `==` and `!=` compare bits: after arithmetic, equal is rare.

## Words

| word | |
|---|---|
"""

_OPERATORS = """
| operators, from the tightest | |
|---|---|
| `f(x)` `x[k]` `(…)` | |
| `-x` | |
| `*` `/` | from left to right |
| `+` `-` | from left to right |
| `<` `<=` `>` `>=` `==` `!=` `crosses_above` `crosses_below` | one per comparison: `a < b and b < c` |
| `not` | |
| `and` | |
| `or` | |

## Functions

TA-Lib's definitions and TA-Lib's numbers. x is any number of each bar; windows have their limits in brackets. *After*
is how many own bars come before the first value.
"""

_LIMITS = f"""
## Limits

| | most |
|---|---|
| characters of one text | {MOST_CHARACTERS:,} |
| levels of one rule, named values put in | {MOST_DEPTH} |
| parts (names, numbers, operators, functions) of all texts | {MOST_NODES} |
| named values | {MOST_VALUES} |
| a window or a lag | {MOST_WINDOW:,} bars |
| a number | {GREATEST_NUMBER:g} |
| work: nanoseconds a bar of one symbol may take at worst, about | {MOST_WORK:,} |

A text is parsed and computed, never executed: nothing in it can reach Python.

## Mistakes

All mistakes of all texts come at once, each with its line and column. Codes are stable.

| code | |
|---|---|
"""

_GROUPS = {
    "averages": "Averages and sums",
    "extremes": "Extremes",
    "momentum": "Momentum",
    "trend": "Trend",
    "volatility": "Volatility",
    "volume": "Volume",
    "arithmetic": "Arithmetic",
    "comparison": "Comparison of symbols",
}


def page() -> str:
    """docs/reference/rules-language.md"""
    words = {**FIELDS, HELD: HELD_MEANS, **KEYWORDS}
    parts = [_HEAD, *(f"| `{name}` | {means} |\n" for name, means in words.items()), _OPERATORS]
    for group, title in _GROUPS.items():
        parts.append(f"\n### {title}\n\n| function | | after |\n|---|---|---|\n")
        parts += [_row(function) for function in FUNCTIONS.values() if function.group == group]
    parts += [_LIMITS, *(f"| `{code}` | {means} |\n" for code, means in CODES.items())]
    grammar = (
        "Where one line has several operators, `and` binds tighter than `or`, `*` and `/` tighter than `+` and `-`."
    )
    return "".join([*parts, f"\n## Grammar\n\n{grammar}\n\n```\n{for_people()}\n```\n"])


def _row(function: Function) -> str:
    limits = [_limits(parameter) for parameter in function.parameters if parameter.kind != "number"]
    means = f"{function.means} [{'; '.join(limits)}]" if limits else function.means
    return f"| `{function.signature}` | {means} | {_after(function)} |\n"


def _limits(parameter: Parameter) -> str:
    return f"{parameter.name} {parameter.least:g} to {parameter.most:g}"


def _after(function: Function) -> str:
    """The lookback as a formula, read off its values: it is linear in the windows."""
    names = [parameter.name for parameter in function.parameters[function.numbers :]]
    base = function.lookback(*[0] * len(names))
    terms = []
    for at, name in enumerate(names):
        slope = function.lookback(*[int(i == at) for i in range(len(names))]) - base
        if slope:
            terms.append(name if slope == 1 else f"{slope} {name}")
    text = " + ".join(terms)
    if not terms:
        return str(base)
    return text if base == 0 else f"{text} {'+' if base > 0 else '-'} {abs(base)}"
