"""Single processes whose object store cannot be used, or is away, when they start."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from stacks import until
from test_servers_away import WORKER, fleet, only_error

from redis_servers import RedisServer
from servers import s3

pytestmark = pytest.mark.local_stack("processes with servers of their own, the same in both sizes")
BUCKET = "backproof-tests"
SECRET_KEY = "tests-secret-key"


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with s3.server() as url:
        yield url


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[str]:
    server = RedisServer(tmp_path / "redis").start()
    yield f"redis://127.0.0.1:{server.port}/0"
    server.kill()


@pytest.mark.parametrize("command", [("web",), ("scheduler",), WORKER], ids=lambda command: command[0])
def test_a_missing_bucket_ends_the_process_with_one_line(
    tmp_path: Path, endpoint: str, redis: str, command: tuple[str, ...]
) -> None:
    place = "s3://no-such-bucket/runs"
    with fleet(tmp_path, REDIS_URL=redis, STORAGE_URL=place, **s3.environment(endpoint)) as here:
        assert here.start(*command).wait(90) == 2
        assert only_error(here.log(command[0])) == (
            f"error: STORAGE_URL={place} cannot be used: the bucket does not exist"
        )


@pytest.mark.parametrize(
    ("place", "code", "said"),
    [
        (f"s3://{BUCKET}/doctor", 0, "answers, can be written and read"),
        ("s3://no-such-bucket/x", 1, "s3://no-such-bucket/x cannot be used: the bucket does not exist"),
        ("file:///no/such/place", 1, "file:///no/such/place: there is no such directory (is it mounted?)"),
    ],
)
def test_the_doctor_looks_whether_files_can_be_kept(
    cli: Any, tmp_path: Path, endpoint: str, monkeypatch: pytest.MonkeyPatch, place: str, code: int, said: str
) -> None:
    given = s3.environment(endpoint)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    s3.Bucket(f"s3://{BUCKET}").make()
    found = cli("doctor", data_dir=tmp_path, more={**given, "STORAGE_URL": place})
    assert f" STORAGE_URL      {said}\n" in found.stdout
    assert found.returncode == code
    assert SECRET_KEY not in found.stdout + found.stderr


def test_a_store_that_is_away_at_the_start_is_waited_for(
    tmp_path: Path, endpoint: str, redis: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Accepted, failed over while it is away, and completed once it is there."""
    given = s3.environment(endpoint)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    s3.Bucket(f"s3://{BUCKET}").make()
    away = given | {"AWS_ENDPOINT_URL": "http://127.0.0.1:1"}
    with fleet(tmp_path, REDIS_URL=redis, STORAGE_URL=f"s3://{BUCKET}/x", **away) as here:
        for command in (("web",), ("scheduler",), WORKER):
            here.start(*command)
        until(lambda: here.live() and here.ready()["workers"] == 1, 90.0, "the processes")
        assert here.said("web", "storage_out_of_reach") == 1
        run = here.submit()
        until(lambda: here.status(run) == "failed", 60.0, "the run's end")
        error = here.get(f"/api/v1/backtests/{run}").json()["error"]
        assert (error["code"], error["message"]) == (
            "storage_failed",
            "cannot save the result: the object store cannot be reached",
        )
    with fleet(tmp_path, REDIS_URL=redis, STORAGE_URL=f"s3://{BUCKET}/x", **given) as here:
        for command in (("web",), ("scheduler",), WORKER):
            here.start(*command)
        until(lambda: here.live() and here.ready()["workers"] == 1, 90.0, "the processes")
        again = here.submit()
        until(lambda: here.status(again) == "completed", 60.0, "the run's end")
        assert here.get(f"/api/v1/backtests/{again}/equity").status_code == 200
        for log in tmp_path.glob("*.log"):
            assert SECRET_KEY not in log.read_text()
