"""`backproof new-strategy NAME`: a package with one strategy and its test, ready to install and to change."""

import re
import sys
from pathlib import Path
from string import Template

from backproof.domain.config import STRATEGY_PATTERN
from backproof.engine.strategies import built_in_strategies
from backproof.errors import Conflict, InvalidInput

PYPROJECT = """\
[build-system]
requires = ["hatchling>=1.27"]
build-backend = "hatchling.build"

[project]
name = "$distribution"
version = "0.1.0"
description = "The strategy $name for backproof."
readme = "README.md"
requires-python = ">=3.11"
# backproof is not listed: a plug-in is installed into the environment that backproof runs in
dependencies = []

# strategy_type = "module:Class"
[project.entry-points."backproof.strategies"]
$name = "$package:$kind"

[tool.hatch.build.targets.wheel]
packages = ["src/$package"]

[tool.pytest.ini_options]
testpaths = ["tests"]
pythonpath = ["src"]
"""

README = """\
# $distribution

The strategy `$name` for backproof.

```sh
python -m pytest                 # its tests, the look-ahead probe among them
pip install --no-deps -e .       # into the environment that backproof runs in
backproof strategies             # lists it; a running service sees it after a restart, and edits from then on at once
backproof run backtest.yaml
backproof probe backtest.yaml    # does it know the future?
```

Raise `version` in `src/$package/__init__.py` whenever it decides anything differently: results name it.
"""

BACKTEST = """\
name: First try of $name
strategy_type: $name
parameters: {lookback: 50}
symbols: [AAPL, IBM, MSFT]
start_date: 2003-01-02
end_date: 2012-12-31
data_source: demo
costs: {commission_rate: 0.001, slippage_bps: 2}
"""

HEAD = '''\
"""The strategy $name: long while the close is above its own average."""

from typing import Annotated

$imports


class $params(Parameters):
    lookback: Annotated[int, Field(ge=2, le=1000, description="Bars of the average.")] = 50


class $kind($base):
    """Replace this by what it decides, and why that should work."""

    name = "$name"
    version = "1"
    kind = "other"  # trend, breakout, reversion, rotation, spread, calendar, risk, portfolio
    summary = "Long while the close is above its average."$long_only
    Params = $params
    p: $params

    def warmup(self):
        """Bars of history before the first decision can exist."""
        return self.p.lookback - 1

'''

SIGNALS = """\
    def indicators(self, bars):
        return {"average": indicator.sma(bars, self.p.lookback)}

    def signals(self, bars, indicators):
        # all arrays are [symbols, bars]; NaN (no bar, no average yet) compares false: no signal
        above, below = bars.close > indicators["average"], bars.close < indicators["average"]
        return mask((above, ENTER_LONG), (below, EXIT_LONG))
"""

WEIGHTS = """\
    def indicators(self, bars):
        return {"average": indicator.sma(bars, self.p.lookback)}

    def target_weights(self, bars, indicators):
        # decided at month ends only; [decisions, symbols], fractions of equity, NaN leaves a symbol as it is
        at = period_ends(bars.days, bars.first, "monthly")
        above = (bars.close > indicators["average"])[:, at].T
        return Weights(at, above / len(bars.symbols))
"""

EVENTS = """\
    def on_bar(self, ctx):
        # called at every close; what must be kept from bar to bar goes into ctx.state, a dict of JSON-plain values
        for symbol in ctx.symbols:
            closes = ctx.history("close", self.p.lookback, symbol)
            if len(closes) < self.p.lookback or not ctx.has_bar(symbol):
                continue
            if closes[-1] > closes.mean():
                ctx.buy(symbol)
            elif ctx.position(symbol):
                ctx.close(symbol)
"""

IMPORTS = {
    "signals": """\
from backproof import Parameters, SignalStrategy
from backproof.engine import indicators as indicator
from backproof.engine.decisions import mask
from backproof.engine.layout import ENTER_LONG, EXIT_LONG
from pydantic import Field""",
    "weights": """\
from backproof import Parameters, Weights, WeightStrategy
from backproof.engine import indicators as indicator
from backproof.engine.calendar import period_ends
from pydantic import Field""",
    "events": """\
from backproof import EventStrategy, Parameters
from pydantic import Field""",
}
BODIES = {"signals": SIGNALS, "weights": WEIGHTS, "events": EVENTS}
BASES = {"signals": "SignalStrategy", "weights": "WeightStrategy", "events": "EventStrategy"}

TEST = '''\
"""Tests of $name: run them with `python -m pytest`."""

import backproof
import numpy as np

from $package import $kind

CONFIG = {"name": "test", "strategy_type": "$name", "symbols": ["A", "B"]}


def bars_of(closes):
    """Daily bars of the symbols A and B from closes [2, days]."""
    closes = np.asarray(closes, dtype=float)
    days = np.datetime64("2020-01-01") + np.arange(2 * closes.shape[1])
    days = days[np.is_busday(days)][: closes.shape[1]]
    return backproof.Bars.from_frame(
        {
            "symbol": np.repeat(["A", "B"], len(days)).tolist(),
            "date": np.tile(days, 2),
            "open": closes.ravel(),
            "high": closes.ravel() * 1.01,
            "low": closes.ravel() * 0.99,
            "close": closes.ravel(),
        }
    )


def random_bars(days=500):
    steps = np.random.default_rng(1).normal(0.0005, 0.02, (2, days))
    return bars_of(50.0 * np.exp(np.cumsum(steps, axis=1)))


def test_it_neither_looks_ahead_nor_forgets():
    probes = backproof.probe(CONFIG, random_bars(), strategy=$kind)
    assert probes.lookahead.verdict == "clean", probes.lookahead.finding
    assert probes.passed, probes.amnesia


def test_its_warm_up_is_all_the_history_it_needs():
    amnesia = backproof.probe_amnesia(CONFIG, random_bars(), strategy=$kind)
    assert amnesia.verdict == "clean", amnesia.checks


def test_it_is_long_while_prices_rise_and_out_while_they_fall():
    rising, falling = np.linspace(50, 100, 150), np.linspace(100, 50, 150)
    result = backproof.simulate(CONFIG, bars_of([[*rising, *falling], [*rising, *falling]]), strategy=$kind)
    held = result.gross > 0
    assert held[100]
    assert not held[-1]
    assert len(result.trades) == 2
'''


def new_strategy(name: str, form: str, directory: Path | None) -> None:
    """Write the package. Raises InvalidInput for a name that cannot be one, Conflict for a directory in use."""
    if not re.fullmatch(STRATEGY_PATTERN, name):
        rule = "a strategy's name has lower-case letters, digits and _, a letter first"
        raise InvalidInput.at("", "bad_name", f"{name!r}: {rule}")
    if name in {strategy.name for strategy in built_in_strategies()}:
        raise InvalidInput.at("", "taken", f"{name} is the name of a built-in strategy")
    stem = name.removesuffix("_strategy")
    package = f"{stem}_strategy"  # never the name of a module that is there already
    kind = "".join(part.title() for part in stem.split("_") if part) or "Strategy"
    words = {
        "name": name,
        "package": package,
        "distribution": package.strip("_").replace("_", "-"),
        "kind": kind,
        "params": f"{kind}Params",
        "base": BASES[form],
        "imports": IMPORTS[form],
        "long_only": "\n    long_only = True" if form == "weights" else "",
    }
    home = directory or Path(words["distribution"])
    if home.exists() and (not home.is_dir() or any(home.iterdir())):
        raise Conflict(f"{home} exists and is not an empty directory")
    files = {
        "pyproject.toml": PYPROJECT,
        "README.md": README,
        "backtest.yaml": BACKTEST,
        f"src/{package}/__init__.py": HEAD + BODIES[form],
        f"tests/test_{stem}.py": TEST,
    }
    for path, text in files.items():
        file = home / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(Template(text).substitute(words), encoding="utf-8")
    print(f"wrote {home}:")
    for path in files:
        print(f"  {path}")
    here = Path(sys.executable)  # the environment that backproof runs in, whatever the shell finds first
    print(f"next: cd {home}; {here} -m pip install --no-deps -e .; {here.with_name('backproof')} run backtest.yaml")
    print("its tests need pytest: python -m pytest")
