"""The language of rules: entries, exits and ranks written as text. Safe: a text is parsed and computed, never executed.

    from backproof.engine.rules import check
    check({"entry": "close crosses_above sma(close, 200)", "exit": "bars_held >= 20"}).valid

`docs/reference/rules-language.md` has the language; the steps from text to decision are, in order, `lexer`, `builder`,
`parser` (a tree), `checker` and `rulebook` (names, types, limits), `program` (steps, equal ones once), `evaluate`,
`moments` and `holding` (over bars), `decide`. Nothing before `evaluate` needs numpy, numba or TA-Lib.
"""

from backproof.engine.rules.check import Completion, Report, RuleError, check, completions

__all__ = ["Completion", "Report", "RuleError", "check", "completions"]
