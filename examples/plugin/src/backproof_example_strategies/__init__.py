"""Strategies for backproof; the entry points in pyproject.toml say which there are."""
