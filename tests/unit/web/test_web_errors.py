"""Every error has a status, and every problem says what RFC 9457 asks for."""

import errno
import inspect
import json

import pytest

from backproof import errors
from backproof.errors import BackproofError, FieldError, InvalidInput, StorageFailed
from backproof.web.errors import EDGE_KINDS, KINDS, EdgeProblem, kind_of, problem

ALL = [c for _, c in inspect.getmembers(errors, inspect.isclass) if issubclass(c, BackproofError)]


@pytest.mark.parametrize("error", ALL, ids=lambda e: e.__name__)
def test_every_error_class_has_its_own_entry(error: type[BackproofError]) -> None:
    assert error in KINDS


def test_codes_are_unique_over_both_tables() -> None:
    codes = [error.code for error in KINDS] + list(EDGE_KINDS)
    assert len(codes) == len(set(codes))


def test_an_error_from_elsewhere_gets_the_entry_of_its_nearest_base() -> None:
    class Special(errors.NotFound):
        code = "special"

    assert kind_of(Special("gone")).status == 404


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (InvalidInput.at("/x", "c", "m"), 422),
        (errors.NotFound("m"), 404),
        (errors.Conflict("m"), 409),
        (errors.QueueFull("m", 7), 429),
        (errors.StoreUnavailable("m"), 503),
        (StorageFailed("m"), 503),
        (StorageFailed("m", errno=errno.ENOSPC), 507),
        (errors.IdempotencyMismatch("m"), 422),
    ],
)
def test_statuses_clients_rely_on(error: BackproofError, status: int) -> None:
    assert kind_of(error).status == status


def test_what_may_pass_by_itself_says_when_to_come_back() -> None:
    assert all(kind.retry_after for kind in KINDS.values() if kind.status in (429, 503))


def test_a_problem_has_all_members_even_with_odd_facts() -> None:
    scope = {"path": "/x\udc80", "state": {"request_id": "r-1"}}
    kind = KINDS[InvalidInput]
    answer = problem(
        scope, "c", kind, "half \ud800", field_errors=[FieldError("/a", "b", "c")], details={"n": float("nan")}
    )
    body = json.loads(answer.body, parse_constant=pytest.fail)
    assert body["status"] == 422
    assert body["errors"] == [{"pointer": "/a", "code": "b", "message": "c"}]
    assert body["request_id"] == "r-1"
    assert {"type", "title", "detail", "instance", "code"} <= body.keys()
    assert answer.headers["content-type"] == "application/problem+json"


def test_edge_problems_carry_the_status_of_their_kind() -> None:
    assert EdgeProblem("body_too_large", "m").status_code == 413
