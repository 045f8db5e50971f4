"""Everything the service does with backtests: accept, hand out, run, follow, keep."""
