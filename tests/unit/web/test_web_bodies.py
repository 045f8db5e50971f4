"""Strict JSON: what is no JSON document, or no text, never reaches a service."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backproof.web.bodies import MAX_DEPTH, read_json
from backproof.web.errors import EdgeProblem

plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(plain)
def test_a_json_document_is_read_as_it_is(document: object) -> None:
    assert read_json(json.dumps(document).encode()) == document


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"{", "line 1, column 2"),
        (b'{"a": NaN}', "NaN is not a JSON number"),
        (b'{"a": [Infinity]}', "Infinity is not"),
        (b"-Infinity", "-Infinity is not"),
        (b'{"a": 1e999}', "1e999 is too large"),
        (b"-1e400", "too large"),
        (b"1" * 5000, "too large"),
        (b'{"a": 1, "b": {"c": 1, "c": 2}}', '"c" appears twice'),
        (b'{"\\ud800": 1, "\\ud800": 2}', "appears twice"),
        (b"[" * 20_000 + b"]" * 20_000, "deeper than"),
        (b'{"a":' * 20_000 + b"1" + b"}" * 20_000, "deeper than"),
        (b"[" * (MAX_DEPTH + 1) + b"1" + b"]" * (MAX_DEPTH + 1), "deeper than"),
        (b"[" * 900_000, ""),
        (b'"\\ud83d"', "surrogate"),
        (b'{"a\\udc00": 1}', "surrogate"),
        (b"\xff\xfe{}", "not UTF-8"),
        (b'{"a": "\xed\xa0\x80"}', "not UTF-8"),
        ("\ufeff{}".encode(), "not JSON"),
        (b"", "not JSON"),
        (b"{} {}", "not JSON"),
        (b'{"a": 01}', "not JSON"),
        (b'{"a": "line\nbreak"}', "not JSON"),
        (b"{'a': 1}", "not JSON"),
    ],
)
def test_anything_else_is_refused_with_a_reason(body: bytes, said: str) -> None:
    with pytest.raises(EdgeProblem) as caught:
        read_json(body)
    assert caught.value.status_code == 400
    assert said in str(caught.value.detail)
    caught.value.detail.encode()  # printable


def test_a_document_as_deep_as_allowed_is_read() -> None:
    body = b"[" * MAX_DEPTH + b"1" + b"]" * MAX_DEPTH
    assert json.dumps(read_json(body)).encode() == body


def test_a_whole_surrogate_pair_is_a_character() -> None:
    assert read_json(b'"\\ud83d\\ude00"') == "😀"
