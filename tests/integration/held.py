"""Runs that last as long as a test likes: a plug-in whose bars take their time while a file is there."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from plugin_packages import write_package

# the first bars are quicker: they are simulated in one go, and nobody hears of the run before their end
CODE = """
    import pathlib
    import time


    class Held(EventStrategy):
        name = "held"
        version = "1"
        summary = "In and out by a count, as slow as the test wants."
        Params = Parameters

        def on_bar(self, ctx):
            count = ctx.state["count"] = ctx.state.get("count", 0) + 1
            if count % 40 == 1:
                ctx.buy() if count % 80 == 1 else ctx.close()
            if pathlib.Path({mark!r}).exists():
                time.sleep(0.002 if ctx.bar < 200 else 0.015)
"""


class Hold:
    """config: of a backtest that takes most of a minute while it is held, and a moment otherwise; settings: of the
    processes that know its strategy"""

    def __init__(self, directory: Path) -> None:
        self._mark = directory / "held"
        site = directory / "site"
        code = CODE.format(mark=str(self._mark))
        write_package(site, code, {"held": "Held"}, distribution="held-strategies", package="held_strategies")
        self.settings = {"PYTHONPATH": ":".join([str(site), *sys.path])}
        self.config: dict[str, Any] = {
            "name": "a long one",
            "strategy_type": "held",
            "symbols": ["AAPL"],
            "data_source": "demo",
            "costs": {"commission_rate": 0.0001},
        }

    @contextmanager
    def on(self) -> Iterator[None]:
        """Meanwhile its runs do not come to an end."""
        self._mark.touch()
        try:
            yield
        finally:
            self.release()

    def release(self) -> None:
        self._mark.unlink(missing_ok=True)
