"""A pool of processes that still knows which of them compute when the broker has been away.

Celery 5.6 forgets it with every lost connection. A hint could then go to a process that computes, and others would
stand idle until that one has nothing left to do, which behind a long queue may take hours.
"""

from celery.concurrency import asynpool, prefork


class _ProcessPool(asynpool.AsynPool):  # type: ignore[misc] # celery has no types
    def flush(self) -> None:
        """Called when the connection is lost. Whoever is marked as busy sends a result one day, and is free by that."""
        busy = {fd: self._fileno_to_inq.get(fd) for fd in self._busy_workers}
        super().flush()
        # one that has died meanwhile may have left its pipe to another
        self._busy_workers.update(fd for fd, process in busy.items() if self._fileno_to_inq.get(fd) is process)


class TaskPool(prefork.TaskPool):  # type: ignore[misc]
    Pool = _ProcessPool
