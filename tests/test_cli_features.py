"""What `prospect features` lists, shows and plans."""

import pytest
from click.testing import CliRunner

from prospect.cli import main
from prospect.features import operations


def run(*arguments, exit_code=0):
    result = CliRunner().invoke(main, ["features", *map(str, arguments)])
    assert result.exit_code == exit_code, result.output
    return result.output


def test_every_operation_is_listed_with_a_sentence():
    lines = run("list").splitlines()
    for name in operations():
        line = next(line for line in lines if line.split()[:1] == [name])
        assert line.rstrip().endswith(".")
        assert len(line.split()) > 3
    assert "terrain:" in lines


@pytest.mark.parametrize("name", operations())
def test_every_operation_can_be_shown(name):
    text = run("show", name)
    assert text.startswith(f"{name}: of a ")
    assert "Parameters" in text
    assert "Returns" in text


def test_a_typing_error_is_answered_with_the_nearest_names():
    assert "did you mean focal_mean" in run("show", "focal_meen", exit_code=1)


def test_the_plan_accounts_for_every_feature(region_folder):
    text = run("plan", region_folder, "-c", "gold")
    header, *lines = text.splitlines()[1:]
    assert header.split() == ["ns/cell", "halo", "of", "features"]
    rows = lines[: lines.index("")]
    times = [float(line.split()[0]) for line in rows]
    assert times == sorted(times, reverse=True)
    assert min(times) > 0
    made = [name for line in rows for name in line.split("  ")[-1].split(", ")]
    count = int(lines[len(rows) + 1].split()[0])
    assert len(made) >= count
    assert "million cells × features a second" in text


@pytest.mark.parametrize("command", ["list", "show", "plan"])
def test_help_has_an_example(command):
    assert f"Example: prospect features {command}" in run(command, "--help")
