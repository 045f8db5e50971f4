"""`python tests/chaos/run.py …`: the runner without a word about PYTHONPATH."""

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).parents[1])  # not this directory: its modules are those of the package
    from chaos.__main__ import main

    sys.exit(main())
