"""Every mistake has a code, a place and a sentence; all come at once; hostile texts are quick and bounded."""

import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from backproof.domain.config import parse_config
from backproof.engine.rules import check
from backproof.engine.rules.parser import parse
from backproof.engine.rules.reference import CODES
from backproof.engine.rules.rulebook import MOST_WORK, rulebook
from backproof.engine.strategies import check_config
from backproof.errors import InvalidInput

Given = dict[str, Any]
UP = "close > open"
DEEP = "(" * 31 + "close" + ")" * 31

# parameters, pointer, code, what the text has there, words of the sentence
TEXTS: list[tuple[Given, str, str, str, str]] = [
    ({"entry": ""}, "/entry", "empty_rule", "", "no text"),
    ({"entry": " \n "}, "/entry", "empty_rule", "", "no text"),
    ({"entry": "x" * 4001}, "/entry", "too_long", "x", "4,000"),
    ({"entry": "clоse > 1"}, "/entry", "not_ascii", "о", "CYRILLIC SMALL LETTER O"),
    ({"entry": "close ≥ 1"}, "/entry", "not_ascii", "≥", "GREATER-THAN OR EQUAL"),
    ({"entry": "close > 1\u00a0"}, "/entry", "not_ascii", "\u00a0", "U+00A0"),
    ({"entry": "close > "}, "/entry", "syntax_error", "", "ends too early: a value"),
    ({"entry": "(close > 1"}, "/entry", "syntax_error", "", "a ) is missing"),
    ({"entry": "close[1 > 2"}, "/entry", "syntax_error", "", "a ] is missing"),
    ({"entry": "close > 1)"}, "/entry", "syntax_error", ")", "nothing to close"),
    ({"entry": "close > 1 2"}, "/entry", "syntax_error", "2", "an operator was expected"),
    ({"entry": "close > 1 AND open > 1"}, "/entry", "syntax_error", "AND", "did you mean and?"),
    ({"entry": "close > 1 andopen > 1"}, "/entry", "syntax_error", "andopen", "an operator was expected"),
    ({"entry": "1 < close < 2"}, "/entry", "syntax_error", "<", "a < b and b < c"),
    ({"entry": "close = 1"}, "/entry", "syntax_error", "=", "did you mean ==?"),
    ({"entry": "close > 1 && open > 1"}, "/entry", "syntax_error", "&&", "did you mean and?"),
    ({"entry": "close > 5 %"}, "/entry", "syntax_error", "%", "0.05"),
    ({"entry": "close.open > 1"}, "/entry", "syntax_error", ".", "no parts"),
    ({"entry": "().__class__"}, "/entry", "syntax_error", ")", "a value was expected"),
    ({"entry": "9 ** 9 ** 9 > 1"}, "/entry", "syntax_error", "*", "a value was expected"),
    ({"entry": "close > 'x'"}, "/entry", "syntax_error", "'", "no meaning"),
    ({"entry": "2(close) > 1"}, "/entry", "syntax_error", "(", "a * b"),
    ({"entry": "close > 1e16"}, "/entry", "number_too_great", "1e16", "1e+15"),
    ({"entry": UP, "values": {"a": -1e16}}, "/values/a", "number_too_great", "-10000000000000000", "1e+15"),
    ({"entry": "clsoe > 1"}, "/entry", "unknown_name", "clsoe", "did you mean close?"),
    ({"entry": "sma > 1"}, "/entry", "unknown_name", "sma", "write sma(x, n)"),
    ({"entry": "close > Fast", "values": {"fast": 1}}, "/entry", "unknown_name", "Fast", "did you mean fast?"),
    ({"entry": "smaa(close, 2) > 1"}, "/entry", "unknown_function", "smaa", "did you mean sma?"),
    ({"entry": "__import__(close) > 1"}, "/entry", "unknown_function", "__import__", "no function"),
    ({"entry": "close(1) > 1"}, "/entry", "unknown_function", "close", "close[1]"),
    ({"entry": "sma(close) > 1"}, "/entry", "wrong_count", "sma", "takes 2 values, not 1"),
    ({"entry": "obv(close) > 1"}, "/entry", "wrong_count", "obv", "takes 0 values, not 1"),
    ({"entry": "min(close) > 1"}, "/entry", "wrong_count", "min", "2 or more"),
    ({"entry": "close"}, "/entry", "wrong_type", "close", "a condition is needed"),
    ({"entry": "close + (close > 1) > 2"}, "/entry", "wrong_type", "close > 1", "a number is needed"),
    ({"entry": "not close"}, "/entry", "wrong_type", "close", "a condition is needed"),
    ({"entry": "(close > 1) > (open > 1)"}, "/entry", "wrong_type", "close > 1", "a number is needed"),
    ({"entry": "sma(close > 1, 3) > 1"}, "/entry", "wrong_type", "close > 1", "a number is needed"),
    ({"rank": UP, "top": 1}, "/rank", "wrong_type", UP, "a number is needed"),
    ({"entry": UP, "exit": "a", "values": {"a": 3}}, "/exit", "wrong_type", "a", "a condition is needed"),
    ({"entry": "sma(close, 0) > 1"}, "/entry", "bad_window", "0", "from 1 to 5000, not 0"),
    ({"entry": "sma(close, -1) > 1"}, "/entry", "bad_window", "-1", "not -1"),
    ({"entry": "sma(close, 1e9) > 1"}, "/entry", "bad_window", "1e9", "not 1000000000"),
    ({"entry": "sma(close, 2.5) > 1"}, "/entry", "bad_window", "2.5", "whole number"),
    ({"entry": "sma(close, 10 + 10) > 1"}, "/entry", "bad_window", "10 + 10", "not an expression"),
    ({"entry": "sma(close, close) > 1"}, "/entry", "bad_window", "close", "not an expression"),
    ({"entry": "sma(close, n) > 1", "values": {"n": 0}}, "/entry", "bad_window", "n", "not 0"),
    ({"entry": "sma(close, n) > 1", "values": {"n": "close"}}, "/entry", "bad_window", "n", "not an expression"),
    ({"entry": "sma(close, fsat) > 1", "values": {"fast": 3}}, "/entry", "unknown_name", "fsat", "did you mean fast?"),
    ({"entry": "rsi(close, 1) > 1"}, "/entry", "bad_window", "1", "from 2 to 5000"),
    ({"entry": "macd(close, 26, 12, 9) > 0"}, "/entry", "bad_window", "26", "less than slow (12)"),
    ({"entry": "bb_upper(close, 20, close) > 1"}, "/entry", "bad_constant", "close", "not an expression"),
    ({"entry": "bb_upper(close, 20, 101) > 1"}, "/entry", "bad_constant", "101", "from 0 to 100"),
    ({"entry": "sar(0.3, 0.2) > 1"}, "/entry", "bad_constant", "0.2", "must not be more"),
    ({"entry": "close[open] > 1"}, "/entry", "bad_lag", "open", "not an expression"),
    ({"entry": "close[1.5] > 1"}, "/entry", "bad_lag", "1.5", "whole number of bars"),
    ({"entry": "close[5001] > 1"}, "/entry", "bad_lag", "5001", "5,000"),
    ({"entry": "close[-1] > 1"}, "/entry", "future_lag", "-1", "never forward"),
    ({"entry": "close[k] > 1", "values": {"k": -1}}, "/entry", "future_lag", "k", "never forward"),
    ({"entry": "bars_held > 1"}, "/entry", "misplaced_bars_held", "bars_held", "exit and short_exit only"),
    (
        {"entry": "old", "values": {"old": "bars_held > 1"}},
        "/entry",
        "misplaced_bars_held",
        "old",
        "old uses bars_held",
    ),
    ({"entry": UP, "exit": "bars_held[1] > 1"}, "/exit", "misplaced_bars_held", "bars_held", "no earlier bars"),
    ({"entry": UP, "exit": "sma(bars_held, 3) > 1"}, "/exit", "misplaced_bars_held", "bars_held", "no earlier bars"),
    ({"entry": UP, "exit": "rank(bars_held) > 1"}, "/exit", "misplaced_bars_held", "bars_held", "no earlier bars"),
    (
        *({"entry": UP, "exit": "bars_held crosses_above 3"}, "/exit", "misplaced_bars_held"),
        *("bars_held crosses_above 3", "cannot be crossed"),
    ),
    ({"entry": UP, "values": {"sma": 3}}, "/values/sma", "reserved_name", "3", "already"),
    ({"entry": UP, "values": {"and": 3}}, "/values/and", "reserved_name", "3", "already"),
    ({"entry": UP, "values": {"Fast": 3}}, "/values/Fast", "bad_name", "3", "lower-case"),
    ({"entry": UP, "values": {"a/b": 3}}, "/values/a~1b", "bad_name", "3", "lower-case"),
    ({"entry": "a > 1", "values": {"a": "b + 1", "b": "2 * a"}}, "/values/a", "circular_value", "b", "a -> b -> a"),
    ({"entry": "a > 1", "values": {"a": "a"}}, "/values/a", "circular_value", "a", "a -> a"),
    ({"entry": "not " * 40 + UP}, "/entry", "too_deep", "not", "32 levels"),
    ({"entry": "-" * 40 + "close > 1"}, "/entry", "too_deep", "-", "32 levels"),
    (
        *({"entry": "c > 1", "values": {"a": "-" * 20 + "close", "b": "a", "c": "-" * 20 + "b"}}, "/values/c"),
        *("too_deep", "b", "named values put in"),
    ),
    ({"entry": " and ".join([UP] * 170)}, "/entry", "too_many_parts", "close", "500"),
    ({"entry": " and ".join(f"cci({n}) > 1" for n in range(4990, 5000))}, "/entry", "too_much_work", "cci", "20,000"),
]
FIELDS: list[tuple[Given, str, str]] = [
    ({}, "/parameters/entry", "no_rules"),
    ({"exit": UP}, "/parameters/entry", "no_rules"),
    ({"entry": UP, "top": 3}, "/parameters/top", "needs_rank"),
    ({"entry": UP, "rebalance": "daily"}, "/parameters/rebalance", "needs_rank"),
    ({"entry": UP, "exposure": 0.5}, "/parameters/exposure", "needs_rank"),
    ({"entry": UP, "start": "first_bar"}, "/parameters/start", "needs_rank"),
    ({"rank": "close"}, "/parameters/top", "needs_top"),
    ({"rank": "close", "top": 1, "exit": UP}, "/parameters/exit", "not_with_rank"),
    ({"rank": "close", "top": 1, "short_entry": UP}, "/parameters/short_entry", "not_with_rank"),
    ({"rank": "close", "top": 1, "entry_order": {"type": "market"}}, "/parameters/entry_order", "not_with_rank"),
    ({"entry": UP, "short_exit": UP}, "/parameters/short_exit", "needs_entry"),
    ({"short_entry": UP, "exit": UP}, "/parameters/exit", "needs_entry"),
    ({"entry": UP, "entry_order": {"type": "limit"}}, "/parameters/entry_order/price", "needs_price"),
    ({"entry": UP, "entry_order": {"type": "market", "price": "close"}}, "/parameters/entry_order/price", "no_price"),
    (
        *({"entry": UP, "entry_order": {"type": "market", "time_in_force": "gtc"}},),
        *("/parameters/entry_order/time_in_force", "does_not_wait"),
    ),
    ({"entry": UP, "entri": UP}, "/parameters/entri", "unknown_parameter"),
    (
        {"entry": UP, "entry_order": {"type": "limit", "prise": "1"}},
        "/parameters/entry_order/prise",
        "unknown_parameter",
    ),
    ({"entry": 5}, "/parameters/entry", "string_type"),
    ({"entry": UP, "values": {"a": True}}, "/parameters/values/a", "number_or_text"),
    ({"entry": UP, "values": {"a": None}}, "/parameters/values/a", "number_or_text"),
    ({"entry": UP, "values": {"a": float("inf")}}, "/parameters/values/a", "finite_number"),
    ({"entry": UP, "values": {f"a{i}": i for i in range(51)}}, "/parameters/values", "too_long"),
    ({"rank": "close", "top": 0}, "/parameters/top", "greater_than_equal"),
]
CONFIGURED: list[tuple[Given, Given, str, str]] = [
    ({"entry": UP}, {"direction": "short_only"}, "/execution/direction", "direction_mismatch"),
    ({"short_entry": UP}, {"direction": "long_only"}, "/execution/direction", "direction_mismatch"),
    ({"rank": "close", "top": 1}, {"direction": "short_only"}, "/execution/direction", "direction_mismatch"),
    ({"entry": UP, "exit": "bars_held > 1"}, {"fill": "same_close"}, "/execution/fill", "needs_next_bar"),
    (
        *({"entry": UP, "entry_order": {"type": "stop", "price": "high"}}, {"fill": "next_close"}),
        *("/execution/fill", "needs_next_open"),
    ),
]
ELSEWHERE = {"no_volume"}  # found when a run begins: see test_rules_strategy


@pytest.mark.parametrize(("given", "pointer", "code", "there", "words"), TEXTS)
def test_a_mistake_in_a_text_has_its_place(given: Given, pointer: str, code: str, there: str, words: str) -> None:
    report = check(given)
    (error,) = [one for one in report.errors if one.code == code][:1]
    assert error.pointer == f"/parameters{pointer}"
    assert words in error.message, error.message
    text = given
    for part in pointer.split("/")[1:]:
        text = text[part.replace("~1", "/")]
    lines = (text if isinstance(text, str) else f"{text:.0f}").split("\n")
    assert error.line is not None
    assert error.column is not None
    assert error.stop is not None
    wrong = lines[error.line - 1][error.column - 1 : error.stop - 1]
    assert wrong.startswith(there), (wrong, there)
    assert error.excerpt is not None
    assert error.caret is not None
    marked = error.excerpt[error.caret.index("^") : error.caret.rindex("^") + 1].strip()
    assert marked.startswith(there.strip())
    assert set(error.caret.strip()) == {"^"}
    assert len(error.message) < 400


@pytest.mark.parametrize(("given", "pointer", "code"), FIELDS)
def test_fields_that_do_not_go_together_are_named(given: Given, pointer: str, code: str) -> None:
    assert (pointer, code) in {(error.pointer, error.code) for error in check(given).errors}
    with pytest.raises(InvalidInput) as caught:
        check_config(parse_config({"name": "x", "strategy_type": "rules", "symbols": ["A"], "parameters": given}))
    assert {error.pointer for error in caught.value.errors} & {pointer, "/parameters"}


@pytest.mark.parametrize(("given", "execution", "pointer", "code"), CONFIGURED)
def test_rules_that_cannot_run_with_the_rest_of_a_configuration_are_refused(
    given: Given, execution: Given, pointer: str, code: str
) -> None:
    config = {"name": "x", "strategy_type": "rules", "symbols": ["A"], "parameters": given, "execution": execution}
    with pytest.raises(InvalidInput) as caught:
        check_config(parse_config(config))
    assert [(error.pointer, error.code) for error in caught.value.errors] == [(pointer, code)]
    if "direction" in execution:
        assert [(error.pointer, error.code) for error in check(given, execution["direction"]).errors] == [
            (pointer, code)
        ]


def test_every_code_is_described_and_every_described_one_is_tried() -> None:
    tried = {code for _, _, code, _, _ in TEXTS} | {code for _, _, code in FIELDS} | {code for *_, code in CONFIGURED}
    of_fields = {"unknown_parameter", "string_type", "number_or_text", "finite_number", "greater_than_equal"}
    assert tried - of_fields | ELSEWHERE == CODES.keys()


def test_all_mistakes_of_all_texts_come_at_once_in_their_order() -> None:
    report = check(
        {
            "entry": "smaa(close, 2) > clsoe and sma(close, 0) > close[-1]",
            "exit": "close",
            "short_entry": "close >",
            "top": "three",
            "entry_order": {"type": "limit", "price": "1 +"},
            "values": {"a": "b", "c": "(", "d": True},
        }
    )
    assert {(error.pointer.removeprefix("/parameters"), error.code) for error in report.errors} == {
        ("/entry", "unknown_function"),
        ("/entry", "unknown_name"),
        ("/entry", "bad_window"),
        ("/entry", "future_lag"),
        ("/exit", "wrong_type"),
        ("/short_entry", "syntax_error"),
        ("/top", "int_type"),
        ("/entry_order/price", "syntax_error"),
        ("/values/a", "unknown_name"),
        ("/values/c", "syntax_error"),
        ("/values/d", "number_or_text"),
    }
    columns = [error.column for error in report.errors if error.pointer == "/parameters/entry"]
    assert columns == sorted(columns)  # type: ignore[type-var]


def test_a_mistake_is_told_once() -> None:
    """What is wrong inside does not make the outside wrong as well."""
    assert [error.code for error in check({"entry": "not (sma(smaa(close, 3), 2)[1] > 1)"}).errors] == [
        "unknown_function"
    ]
    bad = {"entry": "a > 1 and b", "values": {"a": "clsoe", "b": "a > 2"}}
    assert [(error.pointer, error.code) for error in check(bad).errors] == [("/parameters/values/a", "unknown_name")]


HOSTILE = {
    "100,000 characters": "close > 1 and " * 7200,
    "5,000 parentheses": "(" * 5000 + "close" + ")" * 5000,
    "1,900 parentheses": "(" * 1900 + "close > 1" + ")" * 1900,
    "open parentheses only": "(" * 3999,
    "brackets": "close" + "[1]" * 1300,
    "nested brackets": "close[" * 600 + "1" + "]" * 600,
    "signs": "-" * 3990 + "close > 1",
    "nots": "not " * 990 + "close > 1",
    "a long name": "x" * 3990 + " > 1",
    "a long number": "9" * 3990 + " > close",
    "a long exponent": "1e" + "9" * 3900 + " > close",
    "many unknown names": " + ".join(f"nam{i}" for i in range(480)) + " > 1",
    "many calls": "sma(" * 900 + "close" + ", 2)" * 600,
    "nothing but operators": "+*/<>" * 799,
    "control characters": "close\x00 > \x1b[31m1",
    "directions of writing": "close \u202e> 1",
    "surrogates": "close > \ud800",
    "look-alikes": "ⅽⅼⲟѕｅ＞１" * 400,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_text_is_answered_by_a_mistake_with_a_place(name: str) -> None:
    check({"entry": "close > 1"})  # the parser is made
    began = time.process_time()
    report = check({"entry": HOSTILE[name]})
    spent = time.process_time() - began
    assert spent < 10.0, "it is answered at all; how soon is measured elsewhere"
    if name == "1,900 parentheses":  # deep in text, not in meaning
        assert report.valid
        return
    assert report.errors
    assert all(error.line is not None and len(error.message) < 500 for error in report.errors)


def test_fifty_values_that_double_each_other_stay_small() -> None:
    """Each refers to the one before twice: computed once each, not 2 ** 30 times."""
    values = {"v0": "close", **{f"v{i}": f"v{i - 1} + v{i - 1}" for i in range(1, 15)}}
    found = rulebook((("entry", "v14 > 1"),), tuple(values.items()))
    assert not found.problems
    assert len(found.program.steps) < 20


def test_work_is_counted_by_what_is_computed_and_that_once() -> None:
    one, same, two = (
        check({"entry": f"cci(1000) > 1 and {other} > 2"}) for other in ("cci(1000)", "close", "cci(999)")
    )
    assert one.work < same.work + 5 < two.work
    assert two.work < MOST_WORK


def test_nothing_is_ever_executed() -> None:
    """The words do not even occur where texts are handled."""
    package = Path(sys.modules["backproof.engine.rules"].__file__ or "").parent
    for path in package.glob("*.py"):
        source = path.read_text()
        assert not re.search(r"\b(eval|exec|__import__)\(|import ast|(?<!re\.)compile\(", source), path
    assert {error.code for error in check({"entry": "__import__(close) > 1"}).errors} == {"unknown_function"}


def test_checking_needs_neither_numba_nor_ta_lib_nor_numpy_and_lark_only_for_the_first_text() -> None:
    code = (
        "import sys; from backproof.engine.rules import check, completions; import backproof.engine.strategies;"
        "before = 'lark' in sys.modules; completions(); check({'entry': 'sma(close, 3) > 1', 'exit': 'bars_held > 1'});"
        "print(before, [m for m in ('numba', 'talib', 'numpy', 'pandas', 'pyarrow') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False []"


def test_a_thousand_texts_are_parsed_and_checked_in_time() -> None:
    check({"entry": "close > 1"})
    texts = [
        f"close > sma(close, {n}) and not (rsi(close, 14) < 30 or close[1] crosses_above highest(high, {n})[1])"
        for n in range(1, 1001)
    ]
    began = time.process_time()
    for text in texts:
        assert not rulebook((("entry", text),)).problems
    assert time.process_time() - began < 20.0  # 0.6 s where nothing else runs; the benchmark has the target


def test_a_text_is_parsed_once() -> None:
    text = "close > sma(close, 4321)"
    assert parse(text) is parse(text)
    assert rulebook((("entry", text),)) is rulebook((("entry", text),))
