"""A small curve in the terminal: two columns and four rows of dots in every character."""

from collections.abc import Sequence

_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))  # rows from the top, columns from the left


def resample(values: Sequence[float], points: int) -> list[float]:
    """`points` evenly spaced values; the first and the last are kept."""
    if len(values) <= 1 or points <= 1:
        return list(values[:1]) * points
    step = (len(values) - 1) / (points - 1)
    return [values[round(i * step)] for i in range(points)]


def curve(values: Sequence[float], low: float, high: float, width: int, height: int) -> list[str]:
    """`height` lines of `width` braille characters; `low` is at the bottom, `high` at the top."""
    cells = [[0] * width for _ in range(height)]
    rows = height * 4
    span = (high - low) or 1.0
    previous: int | None = None
    for x, value in enumerate(resample(values, width * 2)):
        y = min(rows - 1, max(0, round((high - value) / span * (rows - 1))))
        # a steep part is drawn as a line, not as single dots
        between = range(y, y + 1) if previous is None else range(min(y, previous), max(y, previous) + 1)
        for row in between if previous is None or abs(y - previous) > 1 else (y,):
            cells[row // 4][x // 2] |= _DOTS[row % 4][x % 2]
        previous = y
    return ["".join(chr(0x2800 + cell) if cell else " " for cell in line) for line in cells]


def overlay(front: Sequence[str], back: Sequence[str]) -> list[list[tuple[str, bool]]]:
    """Per line, per character: the character to show and whether it belongs to the front curve."""
    return [
        [(f, True) if f != " " else (b, False) for f, b in zip(front_line, back_line, strict=True)]
        for front_line, back_line in zip(front, back, strict=True)
    ]
