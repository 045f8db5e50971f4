"""A backtest's file means what it says, and a mistake in it is named with its line."""

from pathlib import Path

import pytest

from backproof.cli.yamlfile import FileProblem, dotted, read_config
from backproof.domain.config import parse_config
from backproof.errors import InvalidInput


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "run.yaml"
    path.write_text(text)
    return path


def test_plain_values_are_those_of_yaml_1_2(tmp_path: Path) -> None:
    text = (
        "symbols: [ON, NO, Y, yes]\nstart_date: 2005-01-01\ncapital: 1e5\nhours: 1:30\nnothing: ~\nflag: true\nn: 012\n"
    )
    assert read_config(written(tmp_path, text)).config == {
        "symbols": ["ON", "NO", "Y", "yes"],
        "start_date": "2005-01-01",
        "capital": 100000.0,
        "hours": "1:30",
        "nothing": None,
        "flag": True,
        "n": 12,
    }


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name: [1, 2\nsymbols: x", r"run\.yaml:2:8: "),
        ("name: a\nname: b", r"run\.yaml:2: name is given twice"),
        ("costs:\n  commission_rate: .nan", r"run\.yaml:2: costs\.commission_rate: \.nan is not a finite number"),
        ("a: 1e999", r"run\.yaml:1: a: 1e999 is not a finite number"),
        ("- a\n- b", "holds something else"),
        ("", "holds something else"),
        ("a: &x [*x]", "run.yaml"),
        ("[a, b]: 1", "plain word"),
        ("a: !!python/object/apply:os.system [ls]", r"run\.yaml:1:4"),
        ("a: " + "[" * 50 + "]" * 50, "nested too deep"),
        ("a: \x00", "run.yaml"),
        ("a: 1\n---\nb: 2", r"run\.yaml:2:1: "),
    ],
)
def test_a_file_that_is_no_backtest_is_one_line_with_its_place(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(FileProblem, match=said) as raised:
        read_config(written(tmp_path, text))
    assert "\n" not in raised.value.message


def test_a_missing_file_a_directory_and_binary_data_are_named(tmp_path: Path) -> None:
    with pytest.raises(FileProblem, match="no such file"):
        read_config(tmp_path / "no.yaml")
    with pytest.raises(FileProblem, match="is a directory"):
        read_config(tmp_path)
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(FileProblem, match="UTF-8"):
        read_config(tmp_path / "binary")


def test_every_wrong_field_is_one_line_with_the_line_number(tmp_path: Path) -> None:
    text = (
        "name: x\nstrategy_type: sma_crossover\nsymbols: [AAPL, '../x']\ncosts:\n  commission_rate: 2.0\nspeed: fast\n"
    )
    file = read_config(written(tmp_path, text))
    with pytest.raises(InvalidInput) as raised:
        parse_config(file.config)
    lines = [line.removeprefix(f"{tmp_path}/") for line in file.problems(raised.value)]
    assert [line.split(": ")[:2] for line in lines] == [
        ["run.yaml:3", "symbols[1]"],
        ["run.yaml:5", "costs.commission_rate"],
        ["run.yaml:6", "speed"],
    ]


def test_a_missing_field_is_named_without_a_line(tmp_path: Path) -> None:
    file = read_config(written(tmp_path, "name: x\n"))
    with pytest.raises(InvalidInput) as raised:
        parse_config(file.config)
    assert f"{file.path}: symbols: is required" in file.problems(raised.value)


def test_pointers_read_like_paths() -> None:
    assert dotted("/symbols/0") == "symbols[0]: "
    assert dotted("/costs/commission_rate") == "costs.commission_rate: "
    assert dotted("/a~1b") == "a/b: "
    assert dotted("") == ""
