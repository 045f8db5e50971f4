"""A worker that has no process free for more work notices all the same that its broker is gone.

kombu 5.6 reads no socket while nothing more may be consumed. One that the broker has closed stays readable for as long
as that takes, so that the worker's parent turns round on it with a core of its own until a run ends.
"""

import select

from kombu.transport import redis

_ENDED = select.POLLHUP | select.POLLERR | getattr(select, "POLLRDHUP", 0)  # macOS says the last one by POLLHUP


class Poller(redis.MultiChannelPoller):  # type: ignore[misc] # kombu has no types
    def on_readable(self, fileno: int) -> None:
        channel, kind = self._fd_to_chan[fileno]
        if channel.qos.can_consume() or _has_ended(fileno):
            channel.handlers[kind]()  # which raises what a closed connection raises, and that begins a new one


def _has_ended(fileno: int) -> bool:
    poll = select.poll()
    poll.register(fileno, _ENDED)
    return any(event & _ENDED for _, event in poll.poll(0))
