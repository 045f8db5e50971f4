"""Write the OpenAPI document, which the web application's client is generated from: scripts/openapi.py FILE"""

import json
import sys
from pathlib import Path

from backproof.settings import Settings
from backproof.web.app import create_app


def document() -> str:
    """As it is committed: sorted and indented, so that a change of the API reads as a diff."""
    return json.dumps(create_app(Settings()).openapi(), indent=1, sort_keys=True, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(document(), encoding="utf-8")
