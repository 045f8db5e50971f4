"""The files of deploy/ as the tests read them."""

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import typer
import yaml

from backproof.cli.app import app
from backproof.settings import Settings

ROOT = Path(__file__).parents[3]
DEPLOY = ROOT / "deploy"
DOCKERFILE = DEPLOY / "Dockerfile"
MANIFESTS = sorted((DEPLOY / "kubernetes").glob("*.yaml"))
SECRET = DEPLOY / "kubernetes" / "secret.yaml.example"
# of the object store's client, by its own names: docs/guides/object-storage.md
AWS = {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION", "AWS_ENDPOINT_URL"}

_VARIABLE = re.compile(r"\$(?:\$|\{(\w+)(?::([-?])([^}]*))?\})")


def settings_names() -> set[str]:
    """Environment variables that mean something to the service."""
    return {name.upper() for name in Settings.model_fields} | AWS


def compose_text() -> str:
    return (DEPLOY / "docker-compose.yml").read_text()


def compose(variables: Mapping[str, str]) -> dict[str, Any]:
    """The compose file as it is with these variables; a variable that must be set and is not is a KeyError."""
    document: dict[str, Any] = _interpolated(yaml.safe_load(compose_text()), variables)
    return document


def _interpolated(part: Any, variables: Mapping[str, str]) -> Any:
    def value(match: re.Match[str]) -> str:
        name, operator, word = match.groups()
        if name is None:
            return "$"
        if given := variables.get(name, ""):
            return given
        if operator == "?":
            raise KeyError(name)
        return word or ""

    if isinstance(part, str):
        return _VARIABLE.sub(value, part)
    if isinstance(part, list):
        return [_interpolated(one, variables) for one in part]
    return {key: _interpolated(one, variables) for key, one in part.items()} if isinstance(part, dict) else part


def compose_variables() -> set[str]:
    return {name for name, _, _ in _VARIABLE.findall(compose_text()) if name}


def env_example() -> dict[str, str]:
    lines = (DEPLOY / ".env.example").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def filled() -> dict[str, str]:
    """As somebody has filled it in."""
    return {**env_example(), "REDIS_PASSWORD": "secret1", "MONGODB_PASSWORD": "secret2"}


@cache
def _documents(path: Path) -> list[dict[str, Any]]:
    return [one for one in yaml.safe_load_all(path.read_text()) if one]


def manifests(kind: str | None = None) -> list[dict[str, Any]]:
    """All Kubernetes objects, or those of one kind."""
    found = [one for path in MANIFESTS for one in _documents(path)]
    return [one for one in found if kind in (None, one["kind"])]


def secret() -> dict[str, Any]:
    return _documents(SECRET)[0]


def deployments() -> dict[str, dict[str, Any]]:
    return {one["metadata"]["name"]: one for one in manifests("Deployment")}


def container(deployment: Mapping[str, Any]) -> dict[str, Any]:
    (only,) = deployment["spec"]["template"]["spec"]["containers"]
    return dict(only)


def instructions() -> list[tuple[str, str]]:
    """The Dockerfile's, continued lines joined, without comments."""
    lines = [line for line in DOCKERFILE.read_text().splitlines() if not line.lstrip().startswith("#")]
    text = "\n".join(lines).replace("\\\n", " ")
    return [(name, rest.strip()) for name, _, rest in (line.partition(" ") for line in text.splitlines() if line)]


def parsed(arguments: Sequence[str]) -> dict[str, Any]:
    """What the command line makes of `backproof ARGUMENTS`; a usage error where it would refuse them."""
    group: Any = typer.main.get_command(app)
    top = group.make_context("backproof", list(arguments))
    name, command, rest = group.resolve_command(top, [*top._protected_args, *top.args])
    return {"command": name, **command.make_context(name, rest, parent=top).params}


def seconds(text: str) -> float:
    """Of a duration such as 90s or 2m."""
    number, unit = text[:-1], text[-1]
    return float(number) * {"s": 1, "m": 60}[unit]


def backproof_commands() -> Iterator[tuple[str, list[str]]]:
    """(where it stands, its arguments) of every start and every probe."""
    for name, service in compose(filled())["services"].items():
        if str(service["image"]).startswith("backproof:"):
            yield f"compose {name}", service["command"]
            assert service["healthcheck"]["test"][:2] == ["CMD", "backproof"]
            yield f"compose {name} healthcheck", service["healthcheck"]["test"][2:]
    for name, deployment in deployments().items():
        one = container(deployment)
        yield f"kubernetes {name}", one["args"]
        for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
            if "exec" in one[probe]:
                assert one[probe]["exec"]["command"][0] == "backproof"
                yield f"kubernetes {name} {probe}", one[probe]["exec"]["command"][1:]
