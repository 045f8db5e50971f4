"""Cursors come back as they went, and only to the question they belong to."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backproof.errors import InvalidInput
from backproof.web import cursors

QUESTION = {"list": "backtests", "sort": "-created_at"}


@given(st.text(min_size=1))
def test_a_cursor_comes_back_as_its_place(place: str) -> None:
    try:
        place.encode()
    except UnicodeEncodeError:
        return
    cursor = cursors.encode(place, QUESTION)
    assert cursor is not None
    assert cursors.decode(cursor, QUESTION) == place


def test_without_a_place_there_is_no_cursor() -> None:
    assert cursors.encode(None, QUESTION) is None
    assert cursors.decode(None, QUESTION) is None


def test_every_changed_character_is_noticed() -> None:
    cursor = cursors.encode("bt-0123456789ab", QUESTION)
    assert cursor is not None
    for i, old in enumerate(cursor):
        changed = cursor[:i] + ("A" if old != "A" else "B") + cursor[i + 1 :]
        with pytest.raises(InvalidInput):
            cursors.decode(changed, QUESTION)


@pytest.mark.parametrize("cursor", ["", "=", "a", "ab", "!!!!", "é", "YWJj", "A" * 500, "\x00"])
def test_rubbish_is_refused(cursor: str) -> None:
    with pytest.raises(InvalidInput):
        cursors.decode(cursor, QUESTION)


def test_a_cursor_of_other_filters_is_refused() -> None:
    cursor = cursors.encode("bt-0123456789ab", QUESTION)
    with pytest.raises(InvalidInput):
        cursors.decode(cursor, {**QUESTION, "sort": "name"})
