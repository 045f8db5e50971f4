"""The page of the strategies is made from them, and the contract says their rules in the same words."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from backproof.engine.strategies import built_in_strategies

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_strategy_page", ROOT / "scripts" / "make_strategy_page.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_of_strategies_is_what_they_say_of_themselves(script: ModuleType) -> None:
    assert script.PAGE.read_text() == script.page(), "remake it: scripts/make_strategy_page.py"


def test_every_strategy_is_on_the_page_with_its_rule_source_and_parameters(script: ModuleType) -> None:
    text = script.page()
    for strategy in built_in_strategies():
        section = text[text.index(f"### `{strategy.name}`") :].split("\n### ")[0]
        for told in (strategy.summary, strategy.rule[1:], strategy.source, *strategy.Params.model_fields):
            assert told in section


LIBRARY = (
    *("supertrend", "adx_trend", "parabolic_sar", "time_series_momentum", "moving_average_timing", "keltner_breakout"),
    *("stochastic", "rsi_pullback", "dual_momentum", "near_52_week_high", "low_volatility", "pairs_spread"),
    *("turn_of_month", "volatility_target", "inverse_volatility", "fixed_weights"),
)


def test_the_contract_has_the_rules_of_the_library_word_by_word() -> None:
    contract = (ROOT / "docs" / "explanation" / "simulation-contract.md").read_text()
    for strategy in built_in_strategies():
        if strategy.name in LIBRARY:
            assert f"| `{strategy.name}` | {strategy.rule} |" in contract
