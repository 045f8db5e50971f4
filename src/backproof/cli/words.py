"""Phrases about a run: how long, when, why, and how to go on. The same words on every screen."""

from collections.abc import Mapping
from typing import Any

Plain = Mapping[str, Any]
SHOWN = 3
NO_WAIT = 0.002  # seconds; both numbers that it is the difference of are rounded
# why a run was queued
REASONS = {
    "worker_died": "queued again: its worker died",
    "worker_stopped": "queued again: its worker stopped",
    "heartbeat_lost": "queued again: its worker was not heard of any more",
    "resumed": "queued again: resumed by its owner",
    "data_arrived": "queued: its data has come",
}


def span(seconds: float) -> str:
    """40 s, 2 min 05 s, 1 h 02 min; below ten seconds with one decimal."""
    if seconds < 9.95:
        return f"{max(seconds, 0.1):.1f}".removesuffix(".0") + " s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def duration(data: Plain) -> str:
    """`about 2 s (1.8 s to 2.4 s)`, of a status or the answer to a submission; empty when nobody knows."""
    seconds = data.get("estimated_duration")
    if seconds is None:
        return ""
    if seconds < 0.1:
        return "under 0.1 s"
    low, high = data.get("estimate_low"), data.get("estimate_high")
    if low is None or high is None or not low <= seconds <= high or span(low) == span(high):
        return f"about {span(seconds)}"
    return f"about {span(seconds)} ({span(low)} to {span(high)})"


def wait(data: Plain) -> float | None:
    """Expected seconds until a waiting run starts; 0: a worker is free; None: nobody knows."""
    eta, seconds = data.get("eta_seconds"), data.get("estimated_duration")
    if eta is None or seconds is None:
        return None
    return eta - seconds if eta - seconds > NO_WAIT else 0.0


def start(data: Plain) -> str:
    """`starts at once`, or `3rd in the queue, starts in about 40 s`; empty when it does not wait."""
    position, seconds = data.get("queue_position"), wait(data)
    if position is None:
        return ""
    if seconds == 0.0:
        return "starts at once"
    place = "next in the queue" if position == 1 else f"{ordinal(position)} in the queue"
    return place if seconds is None else f"{place}, starts in about {span(seconds)}"


def expectation(data: Plain) -> str:
    """How long it will take and when it starts."""
    return ", ".join(part for part in (duration(data), start(data)) if part)


def missing(data: Plain) -> str:
    """What a pending run waits for."""
    said = [str(item["message"]) for item in data.get("waiting_for") or []]
    more = f"; and {len(said) - SHOWN} more" if len(said) > SHOWN else ""
    return f"waiting for data: {'; '.join(said[:SHOWN])}{more}" if said else "waiting for data"


def queued_because(reason: str) -> str:
    return REASONS.get(reason, f"queued: {reason.replace('_', ' ')}")


def ordinal(number: int) -> str:
    ending = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


def reused(run_id: str, hint: bool) -> str:
    return f"reused the result of {run_id}, which is identical" + ("; --no-cache computes it again" if hint else "")


def how_to_resume(run_id: str, status: Plain, watch: bool = False) -> str:
    """The way on for a run that ended early; empty when there is nothing to go on from."""
    bar, total = status.get("checkpoint_bar"), status.get("total_bars")
    if status.get("status") not in ("cancelled", "failed") or not bar:
        return ""
    where = f"bar {bar:,} of {total:,}" if total else f"bar {bar:,}"
    return f"`backproof resume {run_id}{' --watch' if watch else ''}` goes on after {where}"
