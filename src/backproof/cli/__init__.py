"""The command `backproof`."""
