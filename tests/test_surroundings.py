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
from prospect.project import load_project
from prospect.record import sha256
from prospect.synthetic import make_region, write_region
from prospect.vector import read_points

# The last is the only one in which Python itself takes names of files for ASCII.
LOCALES = {
    "C": {"LC_ALL": "C"},
    "POSIX": {"LC_ALL": "POSIX", "PYTHONCOERCECLOCALE": "0"},
    "ascii": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
}


def shell(locale, *words):
    """What a command says, run from a shell in another locale."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    done = subprocess.run(
        [sys.executable, "-m", "prospect.cli", *map(str, words)],
        capture_output=True,
        env={**environment, "LANG": "C", **LOCALES[locale]},
        cwd=Path(prospect.__file__).parents[1],
        check=False,
        timeout=300,
    )
    said = done.stdout.decode("utf-8") + done.stderr.decode("utf-8")
    assert done.returncode == 0, said[-3000:]
    return said


@pytest.fixture
def maps(tmp_path):
    """A small region under Cyrillic names, with its deposits."""
    world = load_project(
        write_region(make_region(0, shape=(40, 50), cell=1000.0), tmp_path / "region")
    )
    folder = tmp_path / "карты золота"
    folder.mkdir()
    for spec in world.layers:
        (folder / f"{spec.path.stem} лист Ж.tif").write_bytes(spec.path.read_bytes())
    known = read_points(world.occurrences.path, crs=world.occurrences.crs)
    known["Название"] = [f"рудник № {i} «Ёж»" for i in range(len(known))]
    pyogrio.write_dataframe(known, folder / "месторождения.gpkg", driver="GPKG")
    return folder


@pytest.mark.parametrize("locale", ["ascii"])
def test_cyrillic_names_in_an_ascii_locale(maps, tmp_path, locale):
    project = tmp_path / "проект"
    assert "16 layers are in" in shell(locale, "init", maps, "-o", project, "-q")
    assert "лист Ж" in (project / "prospect.toml").read_text("utf-8")
    said = shell(locale, "inspect", project, "-q")
    assert "magnetics_rtp лист Ж" in said
    assert "месторождения.gpkg" in said


@pytest.mark.slow
@pytest.mark.parametrize("locale", LOCALES)
def test_all_commands_with_cyrillic_names_in_an_ascii_locale(maps, tmp_path, locale):
    project, model, made = tmp_path / "проект", tmp_path / "модель.prospect", tmp_path / "карта.tif"
    rejects, targets = tmp_path / "отказы.csv", tmp_path / "цели.gpkg"
    deposits = maps / "месторождения.gpkg"
    train = ["train", project, "-c", "gold", "--occurrences", deposits, "-o", model, "-q"]
    commands = [
        ["init", maps, "-o", project, "-q"],
        ["inspect", project, "-q"],
        [*train, "--learner", "woe", "--folds", "2", "--rejects", rejects],
        ["score", model, project, "-o", made, "-q", "--engine", "processes", "--workers", "2"],
        ["verify", made, project, "--model", model],
        ["targets", made, model, "-o", targets],
        ["report", made, model, project],
        ["validate", model, project, "-o", tmp_path / "проверка", "-q"],
    ]
    said = "".join(shell(locale, *command) for command in commands)
    assert "magnetics_rtp лист Ж" in said
    assert "ok      карта.tif: as written" in said
    assert f"Written: {targets}" in said
    manifest = json.loads(made.with_suffix(".manifest.json").read_text("utf-8"))
    assert any("лист Ж" in layer["source"] for layer in manifest["layers"].values())
    assert "модель" in said
    assert "лист Ж" in made.with_suffix(".html").read_text("utf-8")
    assert rejects.exists()
    assert (tmp_path / "проверка" / "validation.json").exists()


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
