"""How many examples a property is tried on: the same ones in every ordinary run, so that a failure can be repeated.

    PROPERTY_EXAMPLES=20000 pytest tests/property --timeout=0

tries that many new ones of each property instead.
"""

import os

from hypothesis import HealthCheck, settings

SOAK = int(os.environ.get("PROPERTY_EXAMPLES", "0"))


def examples(count: int) -> settings:
    """On top of the profile that every test has (tests/conftest.py)."""
    return settings(
        suppress_health_check=list(HealthCheck),
        max_examples=SOAK or count,
    )
