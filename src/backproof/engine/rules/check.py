"""Checking rules without running them, and what an editor needs to help with writing them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from pydantic import ValidationError

from backproof.domain.config import field_errors
from backproof.engine.rules.functions import FUNCTIONS
from backproof.engine.rules.grammar import FIELDS, HELD, HELD_MEANS, KEYWORDS
from backproof.engine.rules.problems import Problem, nearest
from backproof.engine.rules.rulebook import Rulebook
from backproof.engine.rules.tree import Call, walk
from backproof.errors import FieldError

if TYPE_CHECKING:
    from backproof.engine.strategies.base import Form


@dataclass(frozen=True, slots=True)
class RuleError:
    """One mistake. Those in a text have a place; others, such as a top without a rank, have none.

    pointer: JSON pointer into the configuration ("/parameters/entry")
    message: one line with everything; reason: without place and suggestion
    line, column, stop: from 1; `stop` is the column after the last wrong character
    excerpt: the text around the mistake; caret: a line of spaces and ^ to print below it
    suggestion: what to write there instead
    """

    pointer: str
    code: str
    message: str
    reason: str
    line: int | None = None
    column: int | None = None
    stop: int | None = None
    excerpt: str | None = None
    caret: str | None = None
    suggestion: str | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """What is known of rules that have not run.

    errors:    empty when they can run
    notes:     sentences about what can run and is still no use
    texts:     every rule in its canonical form, by parameter ("entry", "entry_order.price", "values.fast"); then empty
    form:      signals, weights or events (see `Strategy.form`); None when there are errors
    functions: names of those used
    warmup:    own bars of a symbol before everything is defined
    work:      about so many nanoseconds a bar of one symbol, at worst
    """

    errors: tuple[RuleError, ...] = ()
    notes: tuple[str, ...] = ()
    texts: Mapping[str, str] = field(default_factory=dict)
    form: "Form | None" = None
    functions: tuple[str, ...] = ()
    warmup: int = 0
    work: int = 0

    @property
    def valid(self) -> bool:
        return not self.errors


def check(parameters: Mapping[str, Any], direction: str = "long_only") -> Report:
    """Everything that is wrong with the parameters of `rules`, or what they come to."""
    from backproof.engine.strategies.rules import Rules
    from backproof.engine.strategies.rules_params import RulesParams

    try:
        params = RulesParams.model_validate(dict(parameters))
    except ValidationError as error:
        return Report(errors=tuple(_errors(error)))
    book, against = params.book, params.refusals(direction)
    if against:
        return Report(errors=tuple(_plain(one) for one in against))
    return Report(
        notes=tuple(_notes(params, book, direction)),
        texts={_PLACES.get(name, name): text for name, text in book.canonical.items()},
        form=Rules(params).form,
        functions=tuple(sorted({n.name for tree in book.trees.values() for n, _ in walk(tree) if isinstance(n, Call)})),
        warmup=book.program.warmup,
        work=book.program.cost,
    )


_PLACES = {"price": "entry_order.price"}


def _errors(error: ValidationError) -> list[RuleError]:
    told: dict[tuple[str, str, str], Problem] = {}
    for one in error.errors(include_url=False, include_input=False):
        problem = one.get("ctx", {}).get("problem")
        if isinstance(problem, Problem):
            told[f"/parameters{problem.pointer}", problem.code, problem.message] = problem
    found = []
    for wrong in field_errors(error, ("parameters",)):
        problem = told.get((wrong.pointer, wrong.code, wrong.message))
        if problem is not None:
            found.append(_placed(wrong, problem))
        elif wrong.code == "extra_forbidden":
            found.append(_unknown(wrong))
        else:
            found.append(_plain(wrong))
    return found


def _placed(wrong: FieldError, problem: Problem) -> RuleError:
    return RuleError(
        *(wrong.pointer, wrong.code, wrong.message, problem.reason),
        line=problem.line,
        column=problem.column,
        stop=problem.stop,
        excerpt=problem.excerpt,
        caret=problem.caret,
        suggestion=problem.suggestion,
    )


def _plain(wrong: FieldError) -> RuleError:
    return RuleError(wrong.pointer, wrong.code, wrong.message, wrong.message)


def _unknown(wrong: FieldError) -> RuleError:
    from backproof.engine.strategies.rules_params import EntryOrder, RulesParams

    section, _, name = wrong.pointer.rpartition("/")
    fields = list((EntryOrder if section.endswith("/entry_order") else RulesParams).model_fields)
    near = nearest(name, fields)
    hint = f"; there are {', '.join(fields)}" if near is None else f"; did you mean {near}?"
    reason = "rules have no such parameter"
    return RuleError(wrong.pointer, "unknown_parameter", reason + hint, reason, suggestion=near)


def _notes(params: Any, book: Rulebook, direction: str) -> list[str]:
    notes = [f"the named value {name} is used nowhere" for name in book.unused]
    short = [name for name in ("short_entry", "short_exit") if getattr(params, name) is not None]
    if short and direction == "long_only":
        notes.append(f"{' and '.join(short)} count for nothing with the direction long_only")
    if params.entry is not None and params.rank is None and direction == "short_only":
        notes.append("entry counts for nothing with the direction short_only")
    return notes


@dataclass(frozen=True, slots=True)
class Completion:
    """A word an editor can offer.

    kind:      function, price, position (bars_held) or keyword
    signature: as it is written, with the names of its parameters
    insert:    what to put into the text; the cursor belongs at the first $
    parameters: of a function, each with its meaning
    """

    name: str
    kind: Literal["function", "price", "position", "keyword"]
    signature: str
    insert: str
    description: str
    group: str | None = None
    parameters: tuple[tuple[str, str], ...] = ()


def completions() -> list[Completion]:
    """Every word of the language: prices, keywords, functions."""
    found = [Completion(name, "price", name, name, means) for name, means in FIELDS.items()]
    found.append(Completion(HELD, "position", HELD, HELD, HELD_MEANS))
    found += [Completion(name, "keyword", name, f"{name} ", means) for name, means in KEYWORDS.items()]
    return found + [
        Completion(
            *(function.name, "function", function.signature),
            insert=f"{function.name}($)" if function.parameters else f"{function.name}()",
            description=function.means,
            group=function.group,
            parameters=tuple((one.name, one.means) for one in function.parameters),
        )
        for function in FUNCTIONS.values()
    ]
