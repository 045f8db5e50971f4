"""The market data that ships with the program: five stocks and an index, daily, for trying things without a key."""

from pathlib import Path

DEMO_SOURCE = "demo"


def demo_lake() -> Path:
    """Root of the packaged, read-only lake (see its NOTICE for where the prices come from)."""
    return Path(__file__).parent / "lake"
