"""Logging of every process."""
