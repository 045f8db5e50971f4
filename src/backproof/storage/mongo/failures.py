"""PyMongo's errors as the product's: what is wrong with the server, in one line without credentials."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

from bson.errors import InvalidDocument
from pymongo.errors import (
    ConfigurationError,
    ConnectionFailure,
    ExecutionTimeout,
    InvalidOperation,
    NetworkTimeout,
    OperationFailure,
    PyMongoError,
    ServerSelectionTimeoutError,
    WaitQueueTimeoutError,
    WTimeoutError,
)

from backproof.errors import StoreRefused, StoreUnavailable

_BUGS = frozenset({2, 9, 14, 28, 40, 52, 56, 57, 66, 67, 96, 168})  # a wrong command, not a store that is away
_NOT_ALLOWED = frozenset({13, 8000})
_WRONG_PASSWORD = frozenset({11, 18})
_DISK_FULL = frozenset({14031})
_TOO_LARGE = frozenset({10334, 17280, 17419, 17420})


@contextmanager
def store_errors(where: str) -> Iterator[None]:
    """Raise StoreUnavailable for whatever the server or the way to it did, StoreRefused where waiting does not help.

    where: hosts and database, for the message
    """
    try:
        yield
    except InvalidOperation as error:
        if "after close" in str(error):
            raise StoreUnavailable("the metadata store is closed") from None
        raise
    except OperationFailure as error:
        if error.code in _BUGS:
            raise
        _raise_unavailable(where, error)
    except (PyMongoError, InvalidDocument) as error:
        _raise_unavailable(where, error)


def _raise_unavailable(where: str, error: Exception) -> NoReturn:
    kind = StoreRefused if _has_to_be_put_right(error) else StoreUnavailable
    message = f"the metadata store {where} does not work: {reason(error)}"
    raise kind(message, mongodb=type(error).__name__) from error


def _has_to_be_put_right(error: Exception) -> bool:
    """By the operator: a server that is too old, a wrong password, a user without rights, an unknown certificate."""
    if isinstance(error, OperationFailure):
        return error.code in _WRONG_PASSWORD | _NOT_ALLOWED
    return isinstance(error, ConfigurationError) or "CERTIFICATE_VERIFY_FAILED" in str(error)


def reason(error: Exception) -> str:
    code = error.code if isinstance(error, OperationFailure) else None
    if code in _WRONG_PASSWORD:
        return "user or password of MONGODB_URL are wrong"
    if code in _NOT_ALLOWED:
        return "the user of MONGODB_URL may not write to this database (it needs the role readWrite)"
    if code in _DISK_FULL:
        return "the disk is full"
    if code in _TOO_LARGE or isinstance(error, InvalidDocument):
        return "a document is larger than MongoDB stores (16 MB)"
    match error:
        case ServerSelectionTimeoutError():
            return f"no server answers ({_first_words(error)})"
        case WaitQueueTimeoutError():
            return "all connections were in use for too long (MONGODB_MAX_CONNECTIONS)"
        case NetworkTimeout() | ExecutionTimeout() | WTimeoutError():
            return "it did not answer in time (MONGODB_TIMEOUT_SECONDS)"
        case ConnectionFailure():
            return f"the connection broke ({_first_words(error)})"
    if isinstance(error, PyMongoError) and error.timeout:
        return "it did not answer in time (MONGODB_TIMEOUT_SECONDS)"
    return _first_words(error)


def _first_words(error: Exception) -> str:
    """Without the description of the topology that PyMongo appends."""
    text = str(error).partition(", Timeout: ")[0].partition(" (configured timeouts")[0].partition(", full error")[0]
    return " ".join(text.split())[:200]
