"""Breaking real stacks on purpose, and checking from outside what was promised: `python tests/chaos/run.py --short`."""
