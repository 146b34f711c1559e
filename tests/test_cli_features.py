"""What `prospect features` lists, shows and plans."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

import prospect
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
    header, *lines = text[text.index(" ns/cell") :].splitlines()
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


def test_the_first_run_says_what_it_does_once(tmp_path, monkeypatch):
    from prospect.cli.options import tell_first_run

    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    told = []
    monkeypatch.setattr("click.echo", lambda text, err: told.append(text))
    tell_first_run(quiet=True)
    assert told == []
    tell_first_run(quiet=False)
    assert "compiles" in told[0]
    (tmp_path / "kernel.nbi").touch()
    tell_first_run(quiet=False)
    assert len(told) == 1


def test_a_cache_that_cannot_be_written_is_no_error(tmp_path):
    """Neither the folder that is named, nor the package's, nor the home can hold a cache."""
    package = tmp_path / "site" / "prospect"
    shutil.copytree(
        Path(prospect.__file__).parent, package, ignore=shutil.ignore_patterns("__pycache__")
    )
    blocked = tmp_path / "file"
    blocked.touch()
    # A file where the folder would be stops even the superuser.
    (package / "_kernels" / "__pycache__").touch()
    code = (
        "import numpy as np; from prospect._kernels import distance\n"
        "distance.step_on(np.zeros(3, np.uint8), np.zeros(3, np.int16)); print('done')"
    )
    places = ("NUMBA_CACHE_DIR", "HOME", "XDG_CACHE_HOME")
    environment = {**os.environ, **dict.fromkeys(places, str(blocked / "x"))}
    environment |= {"PYTHONPATH": str(package.parent), "PYTHONDONTWRITEBYTECODE": "1"}
    result = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
        cwd=tmp_path,
    )
    assert result.stdout.strip() == "done", result.stderr
