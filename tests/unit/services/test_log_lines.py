"""What the service says in a run's log can be said in Korean too: code and values are all that takes."""

import inspect
import json
import re
from pathlib import Path
from typing import Any

import pytest

from backproof.domain.backtest import Checkpoint, RunError
from backproof.domain.documents import utc_now
from backproof.services.backtests import log_lines

KOREAN = Path(__file__).parents[3] / "frontend" / "src" / "i18n" / "ko" / "server.json"
AT = Checkpoint(path="x", sha256="0" * 64, bytes=1, bar=3, total_bars=9, fence=1, created_at=utc_now())
SAMPLES: dict[str, Any] = {
    "bars_loaded": log_lines.bars_loaded(1200, 1),
    "result_saved": log_lines.result_saved(1, 2, "0" * 64),
    "identical": log_lines.identical("bt-1"),
    "cancelled_after": log_lines.cancelled_after(1, 2),
    "did_not_stop": log_lines.did_not_stop(5.0),
    "attempt_ended": log_lines.attempt_ended(1, "worker_died"),
    "resumed": log_lines.resumed(AT),
    "resumed_from_the_start": log_lines.resumed(None),
    "starts_again": log_lines.starts_again(2),
    "goes_on": log_lines.goes_on(2, 3, 9),
    "checkpoint_useless": log_lines.checkpoint_useless(2, "damaged"),
    "no_checkpoint": log_lines.no_checkpoint(3, "the disk is full"),
    "no_checkpoints": log_lines.no_checkpoints("a set"),
}


def test_every_line_has_its_code_and_a_korean_sentence_with_all_its_values() -> None:
    said = json.loads(KOREAN.read_text())["log_text"]
    assert {name: line["code"] for name, line in SAMPLES.items()} == {name: name for name in said}
    for name, line in SAMPLES.items():
        assert set(re.findall(r"{{(\w+)}}", said[name])) == set(line["values"]), name
        assert re.search("[가-힣]", said[name]), name


def test_no_line_is_left_out_here() -> None:
    makers = {
        name
        for name, maker in inspect.getmembers(log_lines, inspect.isfunction)
        if maker.__module__ == log_lines.__name__ and not name.startswith("_")
    }
    assert makers - {"log_line", "strategy_said", "failed"} == SAMPLES.keys() - {"resumed_from_the_start"}


def test_the_english_sentence_has_the_values_in_it() -> None:
    for line in SAMPLES.values():
        for value in line["values"].values():
            written = value if isinstance(value, str) else f"{value:,g}"
            assert written in line["message"]


@pytest.mark.parametrize("details", [{}, {"message": "of its own", "level": 3, "code": None}])
def test_an_error_is_told_by_its_own_code_whatever_its_details_are_called(details: dict[str, Any]) -> None:
    line = log_lines.failed(RunError(code="strategy_error", message="division by zero", details=details))
    assert line == {"level": "error", "message": "division by zero", "code": "strategy_error", "values": details}
