"""structlog over the standard library, so that libraries' log lines look like ours and pass the same redaction."""

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

_SECRET_NAME = re.compile(r"(api_?key|password|secret|token|authorization|cookie)", re.IGNORECASE)
# key=... in a provider's URL, user:password@ in a connection string
_SECRET_TEXT = re.compile(
    r"((?:api_?key|token|password|secret)=)[^&\s'\"]+|(://[^:/@\s]*:)[^@\s/]+(?=@)", re.IGNORECASE
)
# what they say at INFO is noise here, and httpx would say whole URLs
_QUIET = ("httpx", "httpcore", "numba", "asyncio", "aiosqlite", "pymongo", "celery.worker.strategy", "celery.app.trace")


def redact_text(text: str) -> str:
    """The text with credentials in URLs and key=value pairs replaced by ***."""
    return _SECRET_TEXT.sub(lambda m: (m.group(1) or m.group(2)) + "***", text)


def _redact(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for key, value in event.items():
        if _SECRET_NAME.search(key):
            event[key] = "***"
        elif isinstance(value, str):
            event[key] = redact_text(value)
    return event


def configure_logging(level: str, style: str) -> None:
    """One handler on stderr for everything; `style` is "console" (people) or "json" (machines)."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    renderer: Any = structlog.processors.JSONRenderer() if style == "json" else _console()
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            # redaction comes after formatting of exceptions: a traceback may quote a URL
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, _redact, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )


def _console() -> Any:
    return structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback)
