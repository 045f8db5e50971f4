"""The local stack: one data directory, its lock, and the processes that serve it."""
