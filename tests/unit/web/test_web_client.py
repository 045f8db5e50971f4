"""The web application's client is generated from the API as it is."""

import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]


def test_the_web_application_knows_the_api_as_it_is() -> None:
    sys.path.insert(0, str(ROOT / "scripts"))
    try:
        from openapi import document
    finally:
        sys.path.remove(str(ROOT / "scripts"))
    written = (ROOT / "frontend" / "openapi.json").read_text("utf-8")
    assert written == document(), "the API has changed: run `make web` (or scripts/openapi.py frontend/openapi.json)"
