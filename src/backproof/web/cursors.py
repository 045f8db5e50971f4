"""Opaque page cursors: where the page before ended, tied to the question it belongs to."""

import base64
import hashlib
import json
from collections.abc import Mapping
from typing import Any

from backproof.errors import InvalidInput


def encode(place: str | None, question: Mapping[str, Any]) -> str | None:
    """The cursor of `place` in the answer to `question` (route and filters); None stays None: there is no next page."""
    if place is None:
        return None
    return base64.urlsafe_b64encode(_seal(place, question) + place.encode()).decode().rstrip("=")


def decode(cursor: str | None, question: Mapping[str, Any]) -> str | None:
    """The place; InvalidInput when the cursor was altered or belongs to another question."""
    if cursor is None:
        return None
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        place = raw[8:].decode()
    except ValueError:
        place, raw = "", b""
    if not place or raw[:8] != _seal(place, question):
        raise InvalidInput.at("/cursor", "wrong_cursor", "this cursor does not belong to this list and its filters")
    return place


def _seal(place: str, question: Mapping[str, Any]) -> bytes:
    text = json.dumps([place, question], sort_keys=True, default=str)
    return hashlib.blake2b(text.encode(), digest_size=8).digest()
