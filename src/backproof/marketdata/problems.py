"""What is wrong with a price file: collected with line and column, raised together."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from backproof.errors import FieldError, InvalidInput

if TYPE_CHECKING:
    import numpy as np

POINTER = "/file"
MOST_REPORTED = 20


def wrong_file(code: str, message: str) -> InvalidInput:
    """The file as a whole cannot be read."""
    return InvalidInput.at(POINTER, code, message)


class Problems:
    """Errors of one file. unit: what the numbers count ("line" of a CSV file, "row" of a Parquet file)."""

    def __init__(self, unit: str) -> None:
        self.unit = unit
        self._found: list[tuple[int, str, str, str]] = []
        self._total = 0

    def add(self, number: int, column: str, code: str, message: str) -> None:
        """column: empty when the whole row is wrong."""
        self._total += 1
        if len(self._found) < 10 * MOST_REPORTED:
            self._found.append((number, column, code, message))

    def add_where(
        self,
        wrong: "np.ndarray[Any, np.dtype[np.bool_]]",
        numbers: "np.ndarray[Any, np.dtype[np.int64]]",
        column: str,
        code: str,
        message: Callable[[int], str],
    ) -> None:
        """One error for each row where `wrong`; `message` gets the row's index and is asked for the first rows only."""
        rows = wrong.nonzero()[0]
        for row in rows[:MOST_REPORTED].tolist():
            self.add(int(numbers[row]), column, code, message(row))
        self._total += max(0, len(rows) - MOST_REPORTED)

    def raise_if_any(self) -> None:
        if not self._total:
            return
        errors = [
            FieldError(POINTER, code, f"{self.unit} {number}{f', column {column}' if column else ''}: {message}")
            for number, column, code, message in sorted(self._found)[:MOST_REPORTED]
        ]
        if (more := self._total - len(errors)) > 0:
            errors.append(FieldError(POINTER, "more_errors", f"and {more} more errors"))
        raise InvalidInput(errors)


def shown(value: object) -> str:
    """A value of the file as it may appear in a message: short, on one line."""
    text = repr(value)
    return text if len(text) <= 42 else text[:40] + "…'"
