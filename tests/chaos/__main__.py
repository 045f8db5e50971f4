"""The runner: `python tests/chaos/run.py --short`, or `python -m chaos` in tests/."""

import argparse
import itertools
import json
import random
import shutil
import signal
import statistics
import sys
import tempfile
import time
import traceback
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from chaos import mutations, workloads
from chaos.lab import Lab, Report
from chaos.scenarios import ALL, BY_NAME, Entry
from chaos.snapshot import snapshot
from chaos.variants import Unavailable
from chaos.world import GaveUp

REPOSITORY = Path(__file__).parents[2]


def main(arguments: Sequence[str] | None = None) -> int:
    for number in (signal.SIGINT, signal.SIGTERM):  # also in the background, where shells have SIGINT ignored
        signal.signal(number, signal.default_int_handler)
    arguments = sys.argv[1:] if arguments is None else arguments
    if arguments[:1] == ["mutations"]:
        return mutations.main(arguments[1:])
    given = _parser().parse_args(arguments)
    entries = [BY_NAME[name] for name in given.only] if given.only else list(ALL)
    seed = given.seed if given.seed is not None else random.SystemRandom().randrange(1_000_000)
    directory = Path(tempfile.mkdtemp(prefix="chaos-"))
    source = snapshot(given.source)
    deadline = time.monotonic() + 60.0 * given.minutes
    print(f"seed {seed}, directory {directory}", flush=True)
    reports = []
    for variant, group in itertools.groupby(entries, key=lambda entry: entry.variant):
        reports += _in_one_world(variant, list(group), directory, source, seed, given, deadline)
    if given.json is not None:
        rows = [asdict(report) for report in reports]
        given.json.write_text(json.dumps({"seed": seed, "scenarios": rows}, indent=1, default=str) + "\n")
    broken = any(report.violations or report.lost for report in reports)
    print_table(reports)
    if broken or given.keep:
        print(f"kept for a look: {directory}")
    else:
        shutil.rmtree(directory, ignore_errors=True)
    return 1 if broken else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="chaos", description="Break real stacks and check what was promised.")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--short", action="store_true", help="a few faults of each kind (the default)")
    form.add_argument("--long", action="store_true", help="hundreds; see --minutes")
    parser.add_argument("--only", action="append", choices=sorted(BY_NAME), help="one scenario; may be repeated")
    parser.add_argument("--seconds", type=float, help="repeat each scenario until so many seconds have passed")
    parser.add_argument("--minutes", type=float, default=120.0, help="nothing new is broken after so many minutes")
    parser.add_argument("--count", type=int, help="faults in each scenario, instead of its own number")
    parser.add_argument("--json", type=Path, help="write all numbers there")
    parser.add_argument("--seed", type=int)
    parser.add_argument("--source", type=Path, default=REPOSITORY / "src", help="the directory that holds backproof/")
    parser.add_argument("--keep", action="store_true", help="keep the directory with data, logs and records")
    return parser


def _in_one_world(
    variant: object,
    entries: list[Entry],
    directory: Path,
    source: Path,
    seed: int,
    given: argparse.Namespace,
    deadline: float,
) -> list[Report]:
    place = directory / entries[0].name
    place.mkdir(parents=True)
    reports: list[Report] = []
    try:
        options = {"source": source, "settings": workloads.OFTEN}
        with entries[0].variant(place, options) as world, Lab(world, random.Random(seed)) as lab:
            for i, entry in enumerate(entries):
                left = sum(later.minutes for later in entries[i:])
                budget = (deadline - time.monotonic()) * entry.minutes / left if given.long else 1e9
                reports.append(_perform(lab, entry, given, min(budget, deadline - time.monotonic())))
                print_row(reports[-1])
    except Unavailable as error:
        print(f"{', '.join(entry.name for entry in entries)}: not possible here: {error}", flush=True)
    except (GaveUp, AssertionError) as error:
        traceback.print_exc()
        reports.append(Report(entries[0].name, 0, 0, 0, [f"the world broke: {error}"], [], [], {}, 0.0))
    return reports


def _perform(lab: Lab, entry: Entry, given: argparse.Namespace, budget: float) -> Report:
    count = given.count or (entry.long if given.long else entry.short)
    lab.deadline = time.monotonic() + budget
    report = lab.perform(entry.name, entry.scenario, count)
    until = time.monotonic() + (given.seconds or 0.0) - report.seconds
    while time.monotonic() < until:
        report = _together(report, lab.perform(entry.name, entry.scenario, count))
    return report


def _together(a: Report, b: Report) -> Report:
    return Report(
        scenario=a.scenario,
        n=a.n + b.n,
        runs=a.runs + b.runs,
        lost=a.lost + b.lost,
        violations=a.violations + b.violations,
        recovery=a.recovery + b.recovery,
        notes=a.notes + b.notes,
        figures={**a.figures, **b.figures},
        seconds=a.seconds + b.seconds,
    )


HEADER = (
    f"{'scenario':<24}{'n':>6}{'runs':>6}{'lost':>6}{'violations':>12}{'p50 s':>8}{'p95 s':>8}{'max s':>8}{'took s':>8}"
)


def print_row(report: Report) -> None:
    times = sorted(report.recovery)
    shown = [statistics.median(times), times[round(0.95 * (len(times) - 1))], times[-1]] if times else []
    figures = "".join(f"{value:>8.2f}" for value in shown) or f"{'-':>8}" * 3
    print(
        f"{report.scenario:<24}{report.n:>6}{report.runs:>6}{report.lost:>6}{len(report.violations):>12}{figures}"
        f"{report.seconds:>8.0f}",
        flush=True,
    )
    for violation in report.violations[:20]:
        print(f"    ! {violation}", flush=True)
    if report.figures:
        print(f"      {json.dumps(report.figures)}", flush=True)


def print_table(reports: list[Report]) -> None:
    print(f"\n{HEADER}")
    for report in reports:
        print_row(report)
    noted = [note for report in reports for note in report.notes]
    for note in noted[:20]:
        print(f"    note: {note}")
    if len(noted) > 20:
        print(f"    and {len(noted) - 20} more notes (--json has all)")


if __name__ == "__main__":
    sys.exit(main())
