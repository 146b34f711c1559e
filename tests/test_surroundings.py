"""Computers as they are: locales without Cyrillic, folders that cannot be written."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pyogrio
import pytest
from click.testing import CliRunner

import prospect
from prospect.cli import main
from prospect.record import sha256
from prospect.vector import read_points

# All commands in one process, each as from a shell.
COMMANDS = """
import json, sys
from prospect.cli import run
for arguments in json.loads(sys.stdin.buffer.read()):
    sys.argv = ["prospect", *arguments]
    try:
        run()
    except SystemExit as end:
        if end.code:
            print("FAILED", arguments, end.code)
            raise
"""


@pytest.mark.slow
def test_all_commands_with_cyrillic_names_in_an_ascii_locale(region_folder, world, tmp_path):
    maps = tmp_path / "карты золота"
    maps.mkdir()
    for spec in world.layers:
        (maps / f"{spec.path.stem} лист Ж.tif").write_bytes(spec.path.read_bytes())
    known = read_points(world.occurrences.path, crs=world.occurrences.crs)
    known["Название"] = [f"рудник № {i} «Ёж»" for i in range(len(known))]
    deposits = maps / "месторождения.gpkg"
    pyogrio.write_dataframe(known, deposits, driver="GPKG")
    project, model, made = tmp_path / "проект", tmp_path / "модель.prospect", tmp_path / "карта.tif"
    rejects = tmp_path / "отказы.csv"
    train = ["train", project, "-c", "gold", "--occurrences", deposits, "-o", model, "-q"]
    commands = [
        ["init", maps, "-o", project, "-q"],
        ["inspect", project, "-q"],
        [*train, "--learner", "woe", "--folds", "2", "--rejects", rejects],
        ["score", model, project, "-o", made, "-q"],
        ["verify", made, project, "--model", model],
        ["validate", model, project, "-o", tmp_path / "проверка", "-q"],
    ]
    plain = [[str(word) for word in command] for command in commands]
    ascii_only = {"LC_ALL": "C", "LANG": "C"}
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    done = subprocess.run(
        [sys.executable, "-c", COMMANDS],
        input=json.dumps(plain, ensure_ascii=True).encode(),
        capture_output=True,
        env={**environment, **ascii_only},
        cwd=Path(prospect.__file__).parents[1],
        check=False,
        timeout=300,
    )
    said = done.stdout.decode("utf-8")
    assert done.returncode == 0, said + done.stderr.decode("utf-8", "replace")[-3000:]
    assert "лист Ж" in said
    assert "ok      карта.tif: as written" in said
    assert made.exists()
    assert rejects.exists()


@pytest.fixture
def locked(tmp_path):
    """A folder in which nothing can be made; nobody makes files in /proc, root neither."""
    if Path("/proc/self").is_dir():
        return Path("/proc/self")
    tmp_path.chmod(0o555)
    return tmp_path


@pytest.mark.parametrize("command", ["train", "score", "validate"])
def test_a_folder_that_cannot_be_written_is_told_before_computing(
    region_folder, gold_model, tmp_path, monkeypatch, locked, command
):
    model = gold_model.save(tmp_path / "m.prospect")
    arguments = {
        "train": ["train", region_folder, "-c", "gold", "-o", locked / "m.prospect"],
        "score": ["score", model, region_folder, "-o", locked / "m.tif"],
        "validate": ["validate", model, region_folder, "-o", locked / "report"],
    }[command]
    before = sha256(model)

    def computed(*_, **__):
        raise AssertionError("something was computed")

    monkeypatch.setattr("prospect.stack.open_stack", computed)
    result = CliRunner().invoke(main, [str(word) for word in arguments])
    assert result.exit_code == 1, result.output
    assert "cannot be written" in result.output
    assert sha256(model) == before
