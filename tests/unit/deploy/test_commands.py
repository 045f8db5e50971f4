"""What the files of deploy/ start and set is there."""

from collections.abc import Mapping
from typing import Any

import pytest
from deployment import backproof_commands, compose, filled, manifests, parsed, secret, settings_names

from backproof.cli.health import main as health
from backproof.messaging.queue import QUEUES
from backproof.settings import Settings, load_settings
from backproof.telemetry.beats import ROLES

COMMANDS = dict(backproof_commands())


def environments() -> dict[str, dict[str, str]]:
    services = compose(filled())["services"]
    found = {f"compose {name}": dict(services[name]["environment"]) for name in ("api", "worker", "scheduler")}
    (map_,) = manifests("ConfigMap")
    return {**found, "kubernetes": {**map_["data"], **secret()["stringData"]}}


@pytest.mark.parametrize("where", COMMANDS)
def test_every_command_is_understood(where: str) -> None:
    given = parsed(COMMANDS[where])
    if "worker" in given["command"]:
        assert set(given["queues"].split(",")) <= set(QUEUES)
    if given["command"] == "health":
        assert given["role"].value in where.replace("api", "web"), "it asks for the process of its own container"


def test_each_file_starts_and_probes_all_three() -> None:
    for file in ("compose", "kubernetes"):
        started = {parsed(command)["command"] for where, command in COMMANDS.items() if where.startswith(file)}
        assert started == {"web", "worker", "scheduler", "health"}


WRONG = (["wroker"], ["worker", "--pool", "threads"], ["web", "--hots", "x"], ["health", "db"])


@pytest.mark.parametrize("arguments", WRONG)
def test_a_command_that_is_none_would_be_seen(arguments: list[str]) -> None:
    with pytest.raises(Exception, match=r"No such command|No such option|is not one of"):
        parsed(arguments)


def test_probes_take_the_quick_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not through the command line's libraries."""
    asked: list[str | None] = []
    monkeypatch.setattr("backproof.cli.health.health", lambda role: asked.append(role) or 0)
    probes = [command for command in COMMANDS.values() if command[0] == "health"]
    assert [health(command[1:]) for command in probes] == [0] * len(probes)
    assert set(asked) == {"worker", "scheduler", "web"} == set(ROLES)


@pytest.mark.parametrize("where", environments())
def test_every_variable_is_a_setting(where: str) -> None:
    assert set(environments()[where]) <= settings_names()


@pytest.mark.parametrize("where", environments())
def test_every_value_is_one_that_the_service_starts_with(where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = loaded(environments()[where], monkeypatch)
    assert settings.redis_url
    assert settings.mongodb_url
    if "worker" not in where and "scheduler" not in where:
        beyond = settings.model_copy(update={"web_host": "0.0.0.0"})
        assert beyond.web_address() == "0.0.0.0"
        assert settings.web_allowed_hosts


def loaded(environment: Mapping[str, Any], monkeypatch: pytest.MonkeyPatch) -> Settings:
    for name, value in environment.items():
        monkeypatch.setenv(name, str(value))
    return load_settings()
