"""The parameters of `rules`: the texts are read and checked with them, so that every mistake is told at once."""

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import (
    BeforeValidator,
    Field,
    ModelWrapValidatorHandler,
    PrivateAttr,
    StrictStr,
    ValidationError,
    field_serializer,
    model_validator,
)
from pydantic_core import InitErrorDetails, PydanticCustomError

from backproof.engine.rules.parser import parse
from backproof.engine.rules.problems import Problem
from backproof.engine.rules.rulebook import MOST_VALUES, TYPES, Rulebook, rulebook
from backproof.engine.rules.tree import Negative, Number, printed
from backproof.engine.strategies.base import Parameters
from backproof.engine.strategies.fields import count, number
from backproof.engine.strategies.schedule import Rebalance, Start, decision_bars
from backproof.errors import FieldError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from backproof.engine.bars import RunBars

Place = tuple[int | str, ...]
_SIDES = ("entry", "exit", "short_entry", "short_exit")
_OF_RANKS = ("top", "rebalance", "exposure", "start")


def _written(value: object) -> object:
    """A price may be given as a number."""
    return repr(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


def _value(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise PydanticCustomError("number_or_text", "a named value is a number or a text")
    if isinstance(value, float) and not abs(value) < float("inf"):
        raise PydanticCustomError("finite_number", "a named value is a finite number")
    return value


def canonical(text: str) -> str:
    """The text as it is printed from its tree; itself when it has none."""
    tree = parse(text).tree
    return text if tree is None else printed(tree)


class EntryOrder(Parameters):
    """How an entry enters."""

    type: Annotated[Literal["market", "limit", "stop"], Field(description="Of the order.")]
    price: Annotated[
        StrictStr | None,
        BeforeValidator(_written),
        Field(
            description="A number in the language of rules, of the bar that decides: what a limit or stop waits for."
        ),
    ] = None
    time_in_force: Annotated[
        Literal["next_bar", "gtc"], Field(description="gtc: until a newer signal replaces it; else one bar.")
    ] = "next_bar"

    @field_serializer("price", when_used="json")
    def _canonical_price(self, price: str | None) -> str | None:
        return None if price is None else canonical(price)


def _text(description: str) -> Any:
    return Field(description=description)


class RulesParams(Parameters):
    entry: Annotated[StrictStr | None, _text("Condition to enter long on; with a rank, to be chosen at all.")] = None
    exit: Annotated[StrictStr | None, _text("Condition to leave a long position on.")] = None
    short_entry: Annotated[StrictStr | None, _text("Condition to enter short on, where the direction allows it.")] = (
        None
    )
    short_exit: Annotated[StrictStr | None, _text("Condition to leave a short position on.")] = None
    entry_order: Annotated[EntryOrder | None, Field(description="Limit or stop entries; else at the market.")] = None
    rank: Annotated[StrictStr | None, _text("Number to rotate by: the greatest are held.")] = None
    top: Annotated[int | None, count("Places of a rotation, with rank.", (1, 10), most=1000)] = None
    rebalance: Annotated[Rebalance, Field(description="How often, with rank.")] = "monthly"
    exposure: Annotated[float, number("Sum of the weights, with rank.", (0.25, 1.0), 0.25, above=0.0, most=100.0)] = 1.0
    start: Annotated[Start, Field(description="first_bar: decide on the run's first bar too, with rank.")] = "schedule"
    values: Annotated[
        dict[str, Annotated[float | str, BeforeValidator(_value)]],
        Field(max_length=MOST_VALUES, description="Named numbers, to be varied, and named parts of rules."),
    ] = {}

    _book: Rulebook = PrivateAttr()

    @property
    def book(self) -> Rulebook:
        return self._book

    @model_validator(mode="wrap")
    @classmethod
    def _everything_at_once(cls, given: Any, make: ModelWrapValidatorHandler["RulesParams"]) -> "RulesParams":
        """All that is wrong with the fields and with the texts. What is right is remembered, as it never changes."""
        key = _key(given)
        known = _KNOWN.get(key)
        if known is not None:
            return known
        made: RulesParams | None = None
        wrong: list[InitErrorDetails] = []
        try:
            made = make(given)
        except ValidationError as error:
            wrong += [_detail(e["loc"], e["type"], e["msg"], e["input"]) for e in error.errors(include_url=False)]
        book = _read(given if made is None else made)
        if made is not None:
            wrong += [_detail(place, code, message, None) for place, code, message in made.contradictions()]
        wrong += [_told(problem) for problem in book.problems]
        if made is None or wrong:
            raise ValidationError.from_exception_data(cls.__name__, wrong)
        made._book = book
        if key is not None:
            if len(_KNOWN) >= _MOST_KNOWN:
                _KNOWN.clear()
            _KNOWN[key] = made
        return made

    def contradictions(self) -> list[tuple[Place, str, str]]:
        """Fields that do not go together: where, code, sentence."""
        found: list[tuple[Place, str, str]] = []
        given = {name for name in _SIDES if getattr(self, name) is not None}
        if self.rank is None:
            if not given & {"entry", "short_entry"}:
                found.append((("entry",), "no_rules", "there is nothing to do: give an entry, a short_entry or a rank"))
            fields = type(self).model_fields
            found += [
                ((name,), "needs_rank", f"{name} is part of a rotation: it needs a rank")
                for name in _OF_RANKS
                if getattr(self, name) != fields[name].default
            ]
            for name, entry in (("exit", "entry"), ("short_exit", "short_entry")):
                if name in given and entry not in given and given & {"entry", "short_entry"}:
                    found.append(((name,), "needs_entry", f"there is no {entry} whose position it could end"))
        else:
            if self.top is None:
                found.append((("top",), "needs_top", "a rank needs top: how many places there are"))
            against = [name for name in _SIDES[1:] if name in given]
            against += ["entry_order"] if self.entry_order is not None else []
            for name in against:
                reason = f"who is held is decided by the rank alone: {name} does not go with it"
                found.append(((name,), "not_with_rank", reason))
        return found + self._order_contradictions()

    def _order_contradictions(self) -> list[tuple[Place, str, str]]:
        order = self.entry_order
        if order is None:
            return []
        if order.type != "market":
            if order.price is None:
                return [(("entry_order", "price"), "needs_price", f"a {order.type} order needs a price")]
            return []
        found: list[tuple[Place, str, str]] = []
        if order.price is not None:
            found.append((("entry_order", "price"), "no_price", "a market order has no price"))
        if order.time_in_force != "next_bar":
            found.append((("entry_order", "time_in_force"), "does_not_wait", "a market order does not wait"))
        return found

    def decision_bars(self, bars: "RunBars") -> "npt.NDArray[np.int64]":
        return decision_bars(bars, self.rebalance, self.start)

    def refusals(self, direction: str, fill: str | None = None) -> list[FieldError]:
        """What a configuration has that these rules cannot be run with; fill None: not known yet."""
        found = []
        only = "long" if self.short_entry is None else "short" if self.entry is None and self.rank is None else None
        if only is not None and direction == ("short_only" if only == "long" else "long_only"):
            message = f"these rules hold {only} positions only, {direction} leaves them nothing to do"
            found.append(FieldError("/execution/direction", "direction_mismatch", message))
        if self.entry_order is not None and self.entry_order.type != "market" and fill not in (None, "next_open"):
            message = "limit and stop entries work inside the next bar: they need fill next_open"
            found.append(FieldError("/execution/fill", "needs_next_open", message))
        if fill == "same_close" and self.book.held:
            message = "bars_held is known after the close: use next_open or next_close"
            found.append(FieldError("/execution/fill", "needs_next_bar", message))
        return found

    @field_serializer(*_SIDES, "rank", when_used="json")
    def _canonical(self, text: str | None) -> str | None:
        """Texts that differ in layout alone are the same to a fingerprint."""
        return None if text is None else canonical(text)

    @field_serializer("values", when_used="json")
    def _canonical_values(self, values: dict[str, float | str]) -> dict[str, float | str]:
        return {name: _canonical_value(value) for name, value in values.items()}


_MOST_KNOWN = 256
_KNOWN: dict[Any, RulesParams] = {}


def _key(given: Any) -> Any:
    """Parameters as something to look up by, with their types: 1 is not true. None when they are not plain."""
    if isinstance(given, str):
        return given
    if isinstance(given, dict):
        inside = tuple([(name, _key(value)) for name, value in given.items()])
        return None if any([one is None for _, one in inside]) else inside  # noqa: C419  # shorter than a generator
    return (type(given), given) if given is None or isinstance(given, bool | int | float) else None


def _canonical_value(value: float | str) -> float | str:
    if isinstance(value, str):
        tree = parse(value).tree
        sign, tree = (-1.0, tree.of) if isinstance(tree, Negative) else (1.0, tree)
        if not isinstance(tree, Number):
            return canonical(value)
        value = sign * tree.value
    return value


def _read(given: Any) -> Rulebook:
    """The texts of parameters, which may be wrong in other ways."""
    found = (
        given if isinstance(given, dict) else {name: getattr(given, name, None) for name in RulesParams.model_fields}
    )
    texts = {name: found.get(name) for name in TYPES}
    order = found.get("entry_order")
    texts["price"] = order.get("price") if isinstance(order, dict) else getattr(order, "price", None)
    texts["price"] = _written(texts["price"])
    values = found.get("values")
    values = values if isinstance(values, dict) and len(values) <= MOST_VALUES else {}
    return rulebook(
        tuple((name, text) for name, text in texts.items() if isinstance(text, str)),
        tuple((str(name), value) for name, value in values.items() if _is_value(value)),
    )


def _is_value(value: object) -> bool:
    return isinstance(value, int | float | str) and not isinstance(value, bool) and value == value


def _detail(place: Place, code: str, message: str, given: Any, **more: Any) -> InitErrorDetails:
    error = PydanticCustomError(code, "{message}", {"message": message, **more})
    return InitErrorDetails(type=error, loc=place, input=given)


def _told(problem: Problem) -> InitErrorDetails:
    place = tuple(part.replace("~1", "/").replace("~0", "~") for part in problem.pointer.split("/")[1:])
    return _detail(place, problem.code, problem.message, None, problem=problem)
