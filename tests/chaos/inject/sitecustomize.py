"""Loaded by every Python process of a stack under test, before its own code: sets the named points of failure up.

The product knows nothing of it. Processes that are no part of a stack are left alone.
"""

import importlib.machinery
import importlib.util
import os
import sys

_HERE = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120 - nothing heavy at every start


def _chain() -> None:
    """Run the sitecustomize that this one hides."""
    elsewhere = [entry for entry in sys.path if os.path.abspath(entry) != _HERE]  # noqa: PTH100
    spec = importlib.machinery.PathFinder.find_spec("sitecustomize", elsewhere)
    if spec is not None and spec.loader is not None:
        spec.loader.exec_module(importlib.util.module_from_spec(spec))


def _role() -> str | None:
    """web, worker or scheduler."""
    argv = sys.orig_argv
    for module in ("backproof.cli.processes", "backproof.cli.app"):
        if module in argv:
            after = argv[argv.index(module) + 1 :]
            return after[0] if after and after[0] in ("web", "worker", "scheduler") else None
    return None


_chain()
if (_acts_as := _role()) is not None and os.environ.get("CHAOS_DIR"):
    import chaos_inject

    chaos_inject.install(_acts_as)
