"""On any market, with holes, late listings, events, bars within a day: no built-in looks ahead, no probe fails."""

from typing import Any

from examples import examples
from hypothesis import given, reject
from worlds import BUILT_IN, World, worlds

from backproof.engine.probe import probe_amnesia, probe_lookahead
from backproof.errors import InvalidInput


@examples(60)
@given(worlds(kinds=BUILT_IN))
def test_no_built_in_looks_ahead_on_any_market(world: World) -> None:
    bars: Any = world.engine_bars()
    try:
        report = probe_lookahead(world.config, bars)
    except InvalidInput as error:
        if error.errors[0].code != "too_few_bars":
            raise
        reject()
    assert (report.verdict, report.indicators) == ("clean", ())
    assert report.comparisons > 0
    assert not report.notes
    assert probe_amnesia(world.config, bars).verdict != "forgets"
