"""Fields of parameters: limits that are enforced, and the range in which a form or a sweep looks first.

The JSON Schema of every number has `sensible`, the ends of that range, and `step`, a distance worth telling apart.
"""

from collections.abc import Callable
from typing import Any, LiteralString

from pydantic import Field
from pydantic_core import PydanticCustomError
from pydantic_core.core_schema import ValidationInfo


def count(description: str, sensible: tuple[int, int], step: int = 1, *, least: int = 1, most: int = 5000) -> Any:
    """A number of bars or places, from least to most."""
    extra: Any = {"sensible": list(sensible), "step": step}
    return Field(strict=True, ge=least, le=most, description=description, json_schema_extra=extra)


def number(
    description: str,
    sensible: tuple[float, float],
    step: float,
    *,
    most: float,
    least: float | None = None,
    above: float | None = None,
) -> Any:
    """A finite number from least (or above `above`) to most."""
    extra: Any = {"sensible": list(sensible), "step": step}
    return Field(
        strict=True,
        allow_inf_nan=False,
        ge=least,
        gt=above,
        le=most,
        description=description,
        json_schema_extra=extra,
    )


def beside(
    other: str, fits: Callable[[Any, Any], bool], code: LiteralString, message: LiteralString
) -> Callable[[Any, ValidationInfo], Any]:
    """A validator (`field_validator`) of how a value stands to that of a field before it; None on either side fits.

    fits: of the value and the other one; message: has both by the names of their fields
    """

    def check(value: Any, info: ValidationInfo) -> Any:
        given = info.data.get(other)
        if value is not None and given is not None and not fits(value, given):
            raise PydanticCustomError(code, message, {str(info.field_name): value, other: given})
        return value

    return check
