"""Fields of parameters: limits that are enforced, and the range in which a form or a sweep looks first.

The JSON Schema of every number has `sensible`, the ends of that range, and `step`, a distance worth telling apart.
"""

from typing import Any

from pydantic import Field


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
