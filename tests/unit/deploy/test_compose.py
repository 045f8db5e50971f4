"""The compose file is valid, closed to the outside, and stops in harmony with the processes in it."""

import copy
import json
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import jsonschema
import pytest
from deployment import ROOT, compose, compose_text, compose_variables, env_example, filled, seconds

from backproof.cli.processes import GRACE_SECONDS
from backproof.tasks.stopping import GIVE_BACK_SECONDS, LATE_SECONDS

OURS = ("api", "worker", "scheduler")
ONCE = ("minio-bucket",)


@pytest.fixture
def document() -> dict[str, Any]:
    return compose(filled())


def errors_of(document: dict[str, Any]) -> list[str]:
    schema = json.loads((Path(__file__).parent / "compose-spec" / "compose-spec.json").read_text())
    schema["$schema"] = "https://json-schema.org/draft/2019-09/schema"  # as it is spelled today
    known = {key: value for key, value in document.items() if key != "name"}  # came later than this schema
    return [error.message for error in jsonschema.Draft201909Validator(schema).iter_errors(known)]


def test_it_is_a_compose_file(document: dict[str, Any]) -> None:
    assert errors_of(document) == []


@pytest.mark.parametrize(
    ("name", "key", "value"),
    [("api", "helthcheck", {}), ("worker", "stop_grace_period", 30), ("redis", "depends_on", {"api": {}})],
)
def test_a_mistake_in_it_would_be_seen(document: dict[str, Any], name: str, key: str, value: Any) -> None:
    broken = copy.deepcopy(document)
    broken["services"][name][key] = value
    assert errors_of(broken) != []


def test_every_variable_is_in_the_example_and_the_other_way_round() -> None:
    assert compose_variables() == set(env_example())


@pytest.mark.parametrize("name", ["REDIS_PASSWORD", "MONGODB_PASSWORD"])
def test_without_a_password_nothing_starts(name: str) -> None:
    assert env_example()[name] == ""
    with pytest.raises(KeyError):
        compose({**filled(), name: ""})


def test_no_password_is_written_down() -> None:
    assert not {"secret", "password", "changeme", "minioadmin"} & set(compose_text().lower().split())
    assert all(env_example()[name] == "" for name in env_example() if "PASSWORD" in name or "SECRET" in name)


def test_three_workers_one_address_and_two_schedulers(document: dict[str, Any]) -> None:
    services = document["services"]
    assert services["worker"]["deploy"]["replicas"] == 3
    assert services["scheduler"]["deploy"]["replicas"] == 2
    published = {name: service["ports"] for name, service in services.items() if "ports" in service}
    assert published == {"api": ["127.0.0.1:8000:8000"]}, "without accounts nothing but loopback is published"


def test_every_service_is_limited_restarted_and_watched(document: dict[str, Any]) -> None:
    for name, service in document["services"].items():
        assert ":" in service["image"], name
        assert not service["image"].endswith(":latest"), name
        assert not service.get("privileged"), name
        if name in ONCE:
            continue
        assert service["restart"] == "unless-stopped", name
        assert service["healthcheck"]["test"][0] in ("CMD", "CMD-SHELL"), name
        assert {"cpus", "memory"} <= set(service["deploy"]["resources"]["limits"]), name
        assert seconds(service["stop_grace_period"]) >= 10, name
        assert "no-new-privileges:true" in service["security_opt"], name


@pytest.mark.parametrize("name", OURS)
def test_our_processes_can_write_nowhere_but_their_volume_and_tmp(document: dict[str, Any], name: str) -> None:
    service = document["services"][name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["init"] is True
    assert [mount.partition(":")[0] for mount in service["tmpfs"]] == ["/tmp"]
    assert service["volumes"] == [f"data:{service['environment']['DATA_DIR']}"]


def test_who_waits_for_whom_is_there_and_tells_its_health(document: dict[str, Any]) -> None:
    services = document["services"]
    for service in services.values():
        for name, needed in service.get("depends_on", {}).items():
            assert needed["condition"] == "service_healthy"
            assert "healthcheck" in services[name]
    assert all(set(services[name]["depends_on"]) == {"redis", "mongo"} for name in OURS)


def test_every_volume_is_declared_and_used(document: dict[str, Any]) -> None:
    mounted = {mount.partition(":")[0] for one in document["services"].values() for mount in one.get("volumes", ())}
    assert mounted == set(document["volumes"])


def test_the_addresses_are_those_of_the_services(document: dict[str, Any]) -> None:
    services = document["services"]
    environment = services["worker"]["environment"]
    redis, mongo = urlsplit(environment["REDIS_URL"]), urlsplit(environment["MONGODB_URL"])
    assert (redis.hostname, redis.port) == ("redis", 6379)
    assert redis.password in services["redis"]["command"]
    assert (mongo.hostname, mongo.port) == ("mongo", 27017)
    there = services["mongo"]["environment"]
    assert (mongo.username, mongo.password) == (
        there["MONGO_INITDB_ROOT_USERNAME"],
        there["MONGO_INITDB_ROOT_PASSWORD"],
    )
    command = services["api"]["command"]
    assert services["api"]["ports"][0].endswith(f":{command[command.index('--port') + 1]}")


def test_the_image_is_built_from_this_repository(document: dict[str, Any]) -> None:
    for name in OURS:
        build = document["services"][name]["build"]
        context = (ROOT / "deploy" / build["context"]).resolve()
        assert context == ROOT
        assert (context / build["dockerfile"]).is_file()


def test_all_processes_have_the_same_settings(document: dict[str, Any]) -> None:
    web_only = {"WEB_ALLOWED_HOSTS", "WEB_DRAIN_SECONDS"}
    first, *others = (
        {k: v for k, v in document["services"][name]["environment"].items() if k not in web_only} for name in OURS
    )
    assert all(other == first for other in others)


def test_the_limit_of_runs_is_what_the_workers_can_do(document: dict[str, Any]) -> None:
    worker = document["services"]["worker"]
    environment = worker["environment"]
    processes = worker["deploy"]["replicas"] * int(environment["WORKER_CONCURRENCY"])
    assert int(environment["MAX_CONCURRENT_BACKTESTS"]) == processes


def test_nobody_is_killed_before_it_has_drained(document: dict[str, Any]) -> None:
    worker, api = document["services"]["worker"], document["services"]["api"]
    drain = float(worker["environment"]["WORKER_DRAIN_SECONDS"])
    assert seconds(worker["stop_grace_period"]) > drain + LATE_SECONDS + GIVE_BACK_SECONDS + 0.5
    assert seconds(api["stop_grace_period"]) > float(api["environment"]["WEB_DRAIN_SECONDS"]) + GRACE_SECONDS + 2


def test_the_bucket_of_the_example_is_the_one_that_is_made(document: dict[str, Any]) -> None:
    example = (ROOT / "deploy" / ".env.example").read_text()
    assert "STORAGE_URL=s3://backproof/" in example
    assert "local/backproof" in document["services"]["minio-bucket"]["command"][0]
    assert "AWS_ENDPOINT_URL=http://minio:9000" in example
    assert {document["services"][name]["profiles"][0] for name in ("minio", "minio-bucket")} == {"minio"}
