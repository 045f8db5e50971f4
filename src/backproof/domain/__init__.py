"""Frozen models shared by every layer: what a backtest is, what may happen to it, what happened to it."""
