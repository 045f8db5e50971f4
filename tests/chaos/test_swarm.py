"""The swarm in short: drops, moves between two web processes and a kill, and every client saw everything once."""

from pathlib import Path

from chaos.load_stack import PlainWorld
from chaos.swarm import SETTINGS, Plan, swarm

SHORT = Plan(clients=30, stalled=0, loud=0, runs=6, seconds=6.0, life=3.0, fault="web")


async def test_clients_that_come_and_go_over_two_web_processes_see_every_event_once(tmp_path: Path) -> None:
    with PlainWorld(tmp_path, **SETTINGS) as world:
        report = await swarm(world, SHORT)
    assert report.good, report
    assert report.deliveries > 500
    assert report.connections > report.followed, "nobody came back to a run"
