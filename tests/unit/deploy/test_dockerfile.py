"""The image: small rights, pinned packages, and nothing copied that is not there."""

import json
import re
from collections.abc import Iterable

import pytest
from deployment import ROOT, instructions, parsed, settings_names

# variables of Python, pip, the shell and numba
OTHERS = {"PATH", "PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE", "PIP_NO_CACHE_DIR", "NUMBA_CACHE_DIR"}


def of(name: str) -> list[str]:
    return [rest for instruction, rest in instructions() if instruction == name]


def environment() -> dict[str, str]:
    return dict(pair.split("=", 1) for line in of("ENV") for pair in line.split())


FAULTS = {
    "the base has no version": r"^FROM (?!scratch)[^\s:@]+(:latest)?( AS \w+)?$",
    "a shell runs the command": r"^(CMD|ENTRYPOINT) (?!\[)",
    "ADD fetches and unpacks, COPY does neither": r"^ADD ",
    "apt-get asks a question": r"apt-get install (?!.*(-y|--yes))",
    "apt-get installs what was not asked for": r"apt-get install (?!.*--no-install-recommends)",
    "the lists of packages stay in the layer": r"apt-get update(?!.*rm -rf /var/lib/apt/lists)",
    "apt is for people": r"\bapt install",
    "sudo changes users unseen": r"\bsudo\b",
    "a directory is changed for one line alone": r"^RUN cd ",
    "a working directory depends on the one before": r"^WORKDIR (?!/|\$)",
    "pip keeps what it has downloaded": r"pip install(?!.*--no-cache-dir)",
    "a package may be another one tomorrow": r"pip install (?!.*--require-hashes)",
    "a file of the internet is run": r"(curl|wget)[^|]*\|\s*(ba)?sh",
    "everybody may write": r"chmod (-R )?0?777",
    "a secret is baked in": r"^(ENV|ARG) .*(PASSWORD|SECRET|TOKEN)",
}


def faults(lines: Iterable[tuple[str, str]]) -> set[str]:
    """What a linter would say of these instructions."""
    text = [f"{name} {re.sub(chr(32) + '+', ' ', rest)}" for name, rest in lines]
    found = {fault for fault, pattern in FAULTS.items() if any(re.search(pattern, line) for line in text)}
    if any("PIP_NO_CACHE_DIR=1" in line for line in text):
        found.discard("pip keeps what it has downloaded")
    commands = [line.split()[0] for line in text[max(i for i, line in enumerate(text) if line.startswith("FROM ")) :]]
    found |= {f"{name} counts once" for name in ("CMD", "ENTRYPOINT", "HEALTHCHECK") if commands.count(name) > 1}
    return found | {f"there is no {name}" for name in ("USER", "HEALTHCHECK") if name not in commands}


def test_the_image_has_none_of_the_usual_faults() -> None:
    assert faults(instructions()) == set()


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("FROM python:latest", "the base has no version"),
        ("FROM python AS build", "the base has no version"),
        ("CMD backproof web", "a shell runs the command"),
        ("ADD https://example.com/x /x", "ADD fetches and unpacks, COPY does neither"),
        ("RUN apt-get install --no-install-recommends curl", "apt-get asks a question"),
        ("RUN apt-get install -y curl", "apt-get installs what was not asked for"),
        ("RUN apt-get update && apt-get install -y curl", "the lists of packages stay in the layer"),
        ("RUN sudo ls", "sudo changes users unseen"),
        ("RUN cd /x && ls", "a directory is changed for one line alone"),
        ("WORKDIR app", "a working directory depends on the one before"),
        ("RUN pip install flask", "a package may be another one tomorrow"),
        ("RUN curl https://example.com | sh", "a file of the internet is run"),
        ("RUN chmod -R 777 /data", "everybody may write"),
        ("ENV REDIS_PASSWORD=x", "a secret is baked in"),
        ("HEALTHCHECK NONE", "HEALTHCHECK counts once"),
    ],
)
def test_a_fault_would_be_found(line: str, fault: str) -> None:
    name, _, rest = line.partition(" ")
    assert fault in faults([*instructions(), (name, rest)]) or name == "FROM"
    assert name != "FROM" or fault in faults([(name, rest)])


def test_an_image_without_a_user_would_be_found() -> None:
    assert {"there is no USER", "there is no HEALTHCHECK"} <= faults([("FROM", "python:3.12-slim")])


def test_every_stage_begins_with_a_named_version() -> None:
    bases = [line.split()[0] for line in of("FROM")]
    assert bases == ["python:3.12-slim"] * 2


def test_it_runs_as_nobody_in_particular() -> None:
    *_, last = of("USER")
    assert re.fullmatch(r"[1-9]\d+:[1-9]\d+", last), "numeric, so that an orchestrator can check that it is not root"
    after = instructions()[[name for name, _ in instructions()].index("USER") :]
    assert not {name for name, _ in after} & {"COPY", "ADD"}, "the sources belong to root"


def test_commands_are_not_run_by_a_shell_and_exist() -> None:
    (entrypoint,), (command,) = (json.loads(of(name)[0]) for name in ("ENTRYPOINT", "CMD"))
    assert entrypoint == "backproof"
    assert parsed([command])["command"] == "web"
    (healthcheck,) = of("HEALTHCHECK")
    options, _, probe = healthcheck.partition(" CMD ")
    first, *rest = json.loads(probe)
    assert first == entrypoint
    assert parsed(rest)["command"] == "health"
    assert {option.split("=")[0] for option in options.split()} == {
        "--interval",
        "--timeout",
        "--start-period",
        "--retries",
    }


def test_everything_copied_is_there_and_reaches_the_builder() -> None:
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    sent = {line[1:] for line in ignored if line.startswith("!")}
    assert "*" in ignored
    copied = [line.split()[:-1] for line in of("COPY") if not line.startswith("--from")]
    sources = {source.rstrip("/") for line in copied for source in line}
    for source in sources:
        assert (ROOT / source).exists(), source
    assert sources == sent, "nothing else goes to the builder"
    assert of("ADD") == []
    assert all(line.startswith("--from=build ") for line in of("COPY") if line.startswith("--from"))


def test_packages_are_those_that_are_pinned_by_hash() -> None:
    run = " ".join(of("RUN"))
    assert re.search(r"pip install [^&]*--require-hashes -r requirements/runtime\.txt", run)
    assert "npm" not in run
    assert "apt" not in run, "no package lists are left behind, since none are fetched"


def test_no_secret_and_no_unknown_variable_is_baked_in() -> None:
    assert set(environment()) <= settings_names() | OTHERS
    assert not re.search(r"PASSWORD|SECRET|KEY|TOKEN|REDIS_URL|MONGODB_URL", " ".join(of("ENV") + of("ARG")))


def test_the_environment_that_the_setup_makes_is_the_one_that_runs() -> None:
    (workdir, *_) = of("WORKDIR")
    assert environment()["PATH"].startswith(f"{workdir}/.venv/bin:")
    setup = (ROOT / "scripts" / "setup.sh").read_text()
    assert "cat >.venv/bin/backproof" in setup
    assert any("sh scripts/setup.sh runtime" in line for line in of("RUN"))


def test_kernels_are_compiled_by_the_user_who_runs_them_for_times_that_survive_layers() -> None:
    names = [f"{name} {rest}" for name, rest in instructions()]
    user = next(i for i, text in enumerate(names) if text.startswith("USER "))
    warm = next(i for i, text in enumerate(names) if "engine.warm" in text)
    assert user < warm
    touch = next(text for text in names if "touch" in text)
    assert touch.index("touch --date=2020-01-01T00:00:00Z") < touch.index("setup.sh"), "before it is byte-compiled"


@pytest.mark.parametrize("name", ["DATA_DIR", "NUMBA_CACHE_DIR"])
def test_what_is_written_to_belongs_to_that_user(name: str) -> None:
    (made,) = [line for line in of("RUN") if "install --directory" in line]
    assert "--owner=backproof" in made
    assert environment()[name] in made.split()


def test_what_is_kept_is_in_a_volume() -> None:
    assert of("VOLUME") == [environment()["DATA_DIR"]]
