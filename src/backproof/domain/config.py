"""BacktestConfig: the body of `POST /api/v1/backtests`, the YAML file of `backproof run`, the dict of `simulate`."""

import datetime as dt
import math
import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    ValidationError,
    field_validator,
)
from pydantic_core import PydanticCustomError
from pydantic_core.core_schema import ValidationInfo

from backproof.errors import FieldError, InvalidInput

SYMBOL_PATTERN = r"^[A-Za-z0-9^][A-Za-z0-9.^=_\-]{0,31}$"
DATASET_PATTERN = r"^[a-z][a-z0-9_\-]{0,49}$"
STRATEGY_PATTERN = r"^[a-z][a-z0-9_]{0,63}$"

Symbol = Annotated[str, Field(pattern=SYMBOL_PATTERN, examples=["AAPL"])]
# Strict numbers: "100" and true are mistakes, not numbers. NaN and infinity never get in.
Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Fraction = Annotated[float, Field(strict=True, allow_inf_nan=False, ge=0.0, lt=1.0)]
Money = Annotated[float, Field(strict=True, allow_inf_nan=False, ge=0.0, le=1e15)]
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
Timeframe = Literal["1m", "5m", "15m", "30m", "1h", "1d", "1w"]
Direction = Literal["long_only", "short_only", "long_short"]


def _printable(text: str) -> str:
    if any(ord(c) < 32 or 0xD800 <= ord(c) <= 0xDFFF for c in text):
        raise PydanticCustomError("not_printable", "control characters are not allowed")
    return text


def _written_day(value: object) -> object:
    """pydantic would read a number, or a text of digits, as seconds since 1970."""
    if isinstance(value, bool | int | float | bytes) or (isinstance(value, str) and not _DAY.fullmatch(value)):
        raise PydanticCustomError("date_format", "a date is written 2024-05-01")
    return value


def _stripped_name(text: str) -> str:
    if not (text := text.strip()):
        raise PydanticCustomError("blank", "a name needs at least one visible character")
    return _printable(text)


def _plain(value: object, depth: int = 0) -> object:
    """JSON-plain parameters: finite numbers, printable text, a sane depth."""
    if depth > 8:
        raise PydanticCustomError("too_deep", "parameters are nested too deep")
    match value:
        case str():
            if len(value) > 100_000:
                raise PydanticCustomError("too_long", "parameter texts hold at most 100000 characters")
            return value if "\n" in value else _printable(value)
        case bool() | int() | None:
            return value
        case float():
            if not math.isfinite(value):
                raise PydanticCustomError("finite_number", "parameters must be finite numbers")
            return value
        case list() | tuple():
            return [_plain(item, depth + 1) for item in value]
        case dict():
            return {str(key): _plain(item, depth + 1) for key, item in value.items()}
    raise PydanticCustomError("not_plain", "parameters must be plain numbers, texts, lists and objects")


Day = Annotated[dt.date, BeforeValidator(_written_day)]
Name = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_stripped_name)]
Tag = Annotated[str, Field(min_length=1, max_length=50), AfterValidator(_stripped_name)]


class Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Sizing(Section):
    """How much a signal strategy buys: `percent_equity` (null: 1/number of symbols), `fixed_shares` or `fixed_cash`."""

    type: Literal["percent_equity", "fixed_shares", "fixed_cash"] = "percent_equity"
    value: Annotated[float, Field(strict=True, allow_inf_nan=False, gt=0.0, le=1e15)] | None = None

    @field_validator("value", mode="after")
    @classmethod
    def _fixed_sizes_need_a_value(cls, value: float | None, info: ValidationInfo) -> float | None:
        kind = info.data.get("type", "percent_equity")
        if kind != "percent_equity" and value is None:
            raise PydanticCustomError("value_required", "sizing {kind} needs a value", {"kind": kind})
        return value

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)


class Execution(Section):
    """When and how orders fill."""

    fill: Literal["next_open", "next_close", "same_close"] = "next_open"
    fractional_shares: StrictBool = True
    direction: Direction = "long_only"
    max_leverage: Annotated[float, Field(strict=True, allow_inf_nan=False, gt=0.0, le=100.0)] = 1.0
    maintenance_margin: Fraction | None = None
    sizing: Sizing = Sizing()
    price_mode: Literal["adjusted", "raw"] = "adjusted"
    dividends: Literal["cash", "reinvest"] = "cash"

    @field_validator("maintenance_margin")
    @classmethod
    def _margin_leaves_room(cls, margin: float | None, info: ValidationInfo) -> float | None:
        leverage = info.data.get("max_leverage")
        if margin and leverage is not None and margin * leverage >= 1.0:
            raise PydanticCustomError(
                "margin_too_high",
                "maintenance_margin x max_leverage must be below 1, or a full position is called at once",
            )
        return margin

    @field_validator("dividends")
    @classmethod
    def _reinvesting_needs_raw_prices(cls, dividends: str, info: ValidationInfo) -> str:
        if dividends == "reinvest" and info.data.get("price_mode") == "adjusted":
            raise PydanticCustomError(
                "needs_raw_prices", "adjusted prices reinvest dividends already: reinvest goes with price_mode raw"
            )
        return dividends


class Costs(Section):
    """What trading costs; all zero by default, which the result says in a notice."""

    commission_rate: Fraction = 0.0
    commission_per_share: Money = 0.0
    commission_fixed: Money = 0.0
    commission_min: Money = 0.0
    slippage_bps: Annotated[float, Field(strict=True, allow_inf_nan=False, ge=0.0, lt=10_000.0)] = 0.0
    borrow_rate: Annotated[float, Field(strict=True, allow_inf_nan=False, ge=0.0, le=1.0)] = 0.0


class Risk(Section):
    """Stops, as fractions of the entry fill price."""

    stop_loss: Annotated[float, Field(strict=True, allow_inf_nan=False, gt=0.0, lt=1.0)] | None = None
    take_profit: Annotated[float, Field(strict=True, allow_inf_nan=False, gt=0.0, le=100.0)] | None = None
    trailing_stop: Annotated[float, Field(strict=True, allow_inf_nan=False, gt=0.0, lt=1.0)] | None = None
    stops_active: Literal["entry_bar", "next_bar"] = "entry_bar"

    @property
    def levels(self) -> tuple[str, ...]:
        """The names of the levels that are set."""
        return tuple(name for name in ("stop_loss", "take_profit", "trailing_stop") if getattr(self, name) is not None)


class BacktestConfig(Section):
    """One backtest, completely described. What is left out has the simulation contract's default."""

    name: Name
    strategy_type: Annotated[str, Field(pattern=STRATEGY_PATTERN, examples=["sma_crossover"])]
    parameters: Annotated[dict[str, Any], Field(max_length=100), AfterValidator(_plain)] = {}
    symbols: Annotated[tuple[Symbol, ...], Field(min_length=1, max_length=1000)]
    start_date: Day | None = None
    end_date: Day | None = None
    timeframe: Timeframe = "1d"
    data_source: Annotated[str, Field(pattern=DATASET_PATTERN, examples=["demo"])] | None = None
    initial_capital: Annotated[float, Field(strict=True, allow_inf_nan=False, gt=0.0, le=1e15)] = 100_000.0
    benchmark: Symbol | None = None
    risk_free_rate: Annotated[float, Field(strict=True, allow_inf_nan=False, gt=-1.0, le=10.0)] = 0.0
    periods_per_year: Annotated[float, Field(strict=True, allow_inf_nan=False, gt=0.0, le=1e6)] | None = None
    execution: Execution = Execution()
    costs: Costs = Costs()
    risk: Risk = Risk()
    tags: Annotated[tuple[Tag, ...], Field(max_length=50)] = ()

    @field_validator("symbols")
    @classmethod
    def _symbols_once(cls, symbols: tuple[str, ...]) -> tuple[str, ...]:
        seen: set[str] = set()
        for symbol in symbols:
            if symbol in seen:
                raise PydanticCustomError("duplicate_symbol", "lists {symbol} twice", {"symbol": symbol})
            seen.add(symbol)
        return symbols

    @field_validator("end_date")
    @classmethod
    def _end_not_before_start(cls, end: dt.date | None, info: ValidationInfo) -> dt.date | None:
        start = info.data.get("start_date")
        if end is not None and start is not None and end < start:
            raise PydanticCustomError(
                "end_before_start",
                "end_date {end} is before start_date {start}",
                {"end": str(end), "start": str(start)},
            )
        return end


def parse_config(given: "Mapping[str, object] | BacktestConfig") -> BacktestConfig:
    """The validated configuration; InvalidInput names every wrong field at once."""
    if isinstance(given, BacktestConfig):
        return given
    try:
        return BacktestConfig.model_validate(given)
    except ValidationError as error:
        raise InvalidInput(field_errors(error, model=BacktestConfig)) from None


def parse_what_is_right(given: Mapping[str, object]) -> tuple[BacktestConfig | None, list[FieldError]]:
    """The configuration without its wrong values, so that what else is wrong can be found, and the errors of those.

    Name and symbols stand in for wrong ones; None where nothing can be made of the rest.
    """
    try:
        return BacktestConfig.model_validate(given), []
    except ValidationError as error:
        errors = field_errors(error, model=BacktestConfig)
        found = error.errors(include_url=False, include_context=False, include_input=False)
        rest = _without(given, [wrong["loc"] for wrong in found]) if isinstance(given, Mapping) else {}
    try:
        return BacktestConfig.model_validate({"name": "-", "symbols": ["A", "B"], **rest}), errors
    except ValidationError:
        return None, errors


def _without(values: Mapping[str, object], locations: Iterable[tuple[int | str, ...]]) -> dict[str, object]:
    """A list is left out whole: its other items would have other numbers."""
    gone: set[int | str] = set()
    below: dict[int | str, list[tuple[int | str, ...]]] = {}
    for first, *rest in filter(None, locations):
        if rest and isinstance(values.get(str(first)), Mapping):
            below.setdefault(first, []).append(tuple(rest))
        else:
            gone.add(first)
    left = {name: value for name, value in values.items() if name not in gone}
    for name, inside in below.items():
        if isinstance(inner := left.get(str(name)), Mapping):
            left[str(name)] = _without(inner, inside)
    return left


def pointer_of(location: tuple[int | str, ...]) -> str:
    """An RFC 6901 pointer from a pydantic location."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in location)


_SUGGESTIONS = 20  # in one answer: looking for similar words takes time
_SYMBOL_RULE = "not a symbol: 1 to 32 letters, digits and . ^ = _ - are allowed"
_NAME_RULE = "not a name: lower-case letters, digits and _ are allowed, a letter first"
_PATTERN_RULES = {
    "symbols": _SYMBOL_RULE,
    "benchmark": _SYMBOL_RULE,
    "strategy_type": _NAME_RULE,
    "data_source": "not a name: lower-case letters, digits, _ and - are allowed, a letter first",
}


def field_message(kind: str, message: str, location: tuple[int | str, ...]) -> str:
    """One sentence for a person; pydantic's own where it is one."""
    if kind == "extra_forbidden":
        return "there is no such option"
    if kind == "missing":
        return "is required"
    if kind == "string_pattern_mismatch":
        rules = [rule for part in location if (rule := _PATTERN_RULES.get(str(part)))]
        return rules[-1] if rules else "has characters that are not allowed here"
    if kind in ("tuple_type", "list_type"):
        return "is a list: write [A] or [A, B]"
    if kind in ("model_type", "model_attributes_type", "dict_type"):
        return "is a set of named options: write {name: value}"
    if kind == "string_type" and location[:1] in (("symbols",), ("benchmark",)):
        return "is a text: put it in quotes, as a number loses its zeros"
    if kind == "date_from_datetime_parsing":
        return f"is no day: {message.rpartition(', ')[2]}"
    message = message.replace("Tuple", "List").replace("tuple", "list").partition(" after validation")[0]
    return message[:1].lower() + message[1:]


def field_errors(
    error: ValidationError, prefix: tuple[int | str, ...] = (), model: type[BaseModel] | None = None
) -> list[FieldError]:
    """A pydantic error as field errors with JSON pointers under `prefix`.

    model: what was validated, whose option of a similar name an unknown one may have meant
    """
    found = error.errors(include_url=False, include_context=False, include_input=False)
    unknown = [e["loc"] for e in found if e["type"] == "extra_forbidden"][:_SUGGESTIONS]
    similar = {location: _similar(model, location) for location in unknown} if model is not None else {}
    return [
        FieldError(
            pointer_of((*prefix, *e["loc"])),
            e["type"],
            field_message(e["type"], e["msg"], e["loc"]) + similar.get(e["loc"], ""),
        )
        for e in found
        # a list whose items are all wrong is not also too short
        if e["type"] != "too_short" or not any(o["loc"][:-1] == e["loc"] for o in found)
    ]


def _similar(model: type[BaseModel], location: tuple[int | str, ...]) -> str:
    for part in location[:-1]:
        section = model.model_fields[str(part)].annotation
        if not (isinstance(section, type) and issubclass(section, BaseModel)):
            return ""
        model = section
    word, names = str(location[-1]).lower(), model.model_fields
    near = get_close_matches(word, names, n=1, cutoff=0.85) or get_close_matches(word, names)
    return f"; did you mean {' or '.join(near)}?" if near else f"; there are {', '.join(names)}"
