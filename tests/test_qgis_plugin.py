"""The plugin in a real QGIS: its algorithms run, their results look as meant, failures speak."""

import json
import os
import shutil
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from prospect.cli import main
from prospect.cli.description import description
from prospect.map_file import open_map
from prospect.styles import CHANGE_COLOURS, COLOURS, TARGET_LINES, share_labels, thresholds

pytestmark = [pytest.mark.qgis, pytest.mark.slow]
ROOT = Path(__file__).parents[1]
COMMANDS = ("inspect", "train", "score", "validate", "targets", "report", "compare")
OWN = {"qgis_layers", "qgis_roles", "qgis_project", "qgis_model"}
"""Fields that the command line has not: layers of the open project."""

WHEEL = "prospect-0.1.0-py3-none-any.whl"


def program(path, code):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!{sys.executable}\n{code}\n", encoding="utf-8")
    path.chmod(0o755)
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("plugin")


@pytest.fixture(scope="module")
def sample(folder):
    """The sample region; a copy, since QGIS leaves files of its own beside what it opens."""
    return shutil.copytree(ROOT / "sample_data" / "region", folder / "region")


@pytest.fixture(scope="module")
def plugins(folder):
    """The zip as it is installed from file."""
    tool = ROOT / "tools" / "make_qgis_plugin.py"
    done = subprocess.run([sys.executable, tool], capture_output=True, text=True, check=True)
    with zipfile.ZipFile(done.stdout.strip()) as archive:
        archive.extractall(folder / "plugins")
    return folder / "plugins"


@pytest.fixture(scope="module")
def command(folder):
    """The program of this checkout, with a Python of its own."""
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r})\nfrom prospect.cli import run\nrun()"
    return program(folder / "bin" / "prospect", code)


@pytest.fixture(scope="module")
def wheels(folder):
    """A folder of wheels with a program that only describes itself, for a quick installation."""
    made = folder / "wheels"
    made.mkdir()
    told = json.dumps(description(main))
    info = "prospect-0.1.0.dist-info"
    files = {
        "prospect_stub.py": f"def run():\n    print({told!r})\n",
        f"{info}/METADATA": "Metadata-Version: 2.1\nName: prospect\nVersion: 0.1.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": "[console_scripts]\nprospect = prospect_stub:run\n",
    }
    record = "".join(f"{name},,\n" for name in [*files, f"{info}/RECORD"])
    with zipfile.ZipFile(made / WHEEL, "w") as archive:
        for name, text in {**files, f"{info}/RECORD": record}.items():
            archive.writestr(name, text)
    return made


@pytest.fixture(scope="module")
def worked(in_qgis, plugins, command, folder, sample):
    """The whole way in one QGIS in English, from layers of a project to a comparison."""
    layers = [
        ["magnetics", str(sample / "magnetics.tif"), ""],
        ["gravity", str(sample / "gravity.tif"), ""],
        ["Rocks", str(sample / "lithology.tif"), ""],
        ["Au", str(sample / "Au_ppm.tif"), ""],
        ["Надвиги", f"{sample / 'faults.gpkg'}|layername=faults", "kind = 'thrust'"],
    ]
    project, model, made = folder / "project", folder / "gold.prospect", folder / "gold.tif"
    jobs = {
        "inspect": {"sources": str(sample)},
        "train": {
            "qgis_layers": [name for name, _, _ in layers],
            "qgis_roles": ["Rocks", "geology.lithology"],
            "qgis_project": str(project),
            "commodity": "gold",
            "occurrences": str(sample / "occurrences.csv"),
            "crs": "EPSG:32642",
            "learner": "woe",
            "output": str(model),
        },
        "score": {"model_path": str(model), "sources": str(project), "output": str(made)},
        "validate": {
            "qgis_model": str(model),
            "sources": str(project),
            "folds": ["block"],
            "output": str(folder / "validation"),
        },
        "targets": {
            "scored": str(made),
            "model": str(model),
            "minimum": 2,
            "output": str(folder / "gold-targets.gpkg"),
        },
        "report": {
            "scored": str(made),
            "model": str(model),
            "project": str(project),
            "targets": str(folder / "gold-targets.gpkg"),
            "lang": "ru",
            "output": str(folder / "gold.html"),
        },
        "compare": {
            "first": str(made),
            "second": str(made),
            "models": [str(model), str(model)],
            "output": str(folder / "change.tif"),
        },
    }
    asked = []
    for name, values in jobs.items():
        asked.append({"algorithm": f"prospect:{name}", "values": values})
        if name == "train":
            asked[-1]["layers"] = layers
        if name in ("score", "targets", "compare"):
            asked[-1] |= {"png": str(folder / f"{name}.png"), "width": 400}
    forms, *answers = in_qgis(
        "qgis_processing.py", {"plugins": str(plugins), "setting": str(command), "jobs": asked}
    )
    return forms["forms"], dict(zip(jobs, answers, strict=True))


@pytest.fixture(scope="module")
def failed(in_qgis, plugins, command, folder, sample, worked, wheels):
    """What goes wrong, or is stopped, and what is said; in Russian."""
    told = {"schema": 99, "prospect": "9.0", "commands": []}
    newer = program(folder / "newer", f"print({json.dumps(told)!r})")
    changed = description(main) | {"prospect": "0.2"}
    changed["commands"] = [*changed["commands"][:-1]]
    changed = program(folder / "changed", f"print({json.dumps(changed)!r})")
    model, made = str(folder / "gold.prospect"), str(folder / "gold.tif")
    some = {"model_path": model, "output": str(folder / "never.tif")}
    train = {"sources": str(sample), "commodity": "gold", "output": str(folder / "no.prospect")}
    jobs = {
        "missing layer": ("score", {**some, "qgis_layers": ["gravity"]}, {
            "layers": [["gravity", str(sample / "gravity.tif"), ""]]}),
        "missing file": ("targets", {"scored": "/nowhere/gold.tif", "output": "x.gpkg"}, {}),
        "no sources": ("score", some, {}),
        "unknown role": ("inspect", {"qgis_layers": ["gravity"], "qgis_roles": ["мимо", "x"]}, {
            "layers": [["gravity", str(sample / "gravity.tif"), ""]]}),
        "cancelled": ("train", train, {"cancel_on": "Learning the layers' statistics"}),
        "russian": ("targets", {"scored": made, "output": str(folder / "ru.gpkg")}, {}),
        "dry run": ("score", {**some, "sources": str(folder / "project"), "dry_run": True}, {}),
        "newer": ("inspect", {"sources": str(sample)}, {"setting": str(newer)}),
        "changed": ("inspect", {"sources": str(sample)}, {"setting": str(changed)}),
        "no program": ("inspect", {"sources": str(sample)}, {"setting": ""}),
        "set up from nothing": ("setup", {}, {}),
        "set up": ("setup", {"wheels": str(wheels), "python": sys.executable}, {}),
    }  # fmt: skip
    asked = [
        {"algorithm": f"prospect:{name}", "values": values, **more}
        for name, values, more in jobs.values()
    ]
    options = {"plugins": str(plugins), "setting": str(command), "locale": "ru_RU"}
    forms, *answers = in_qgis("qgis_processing.py", {**options, "jobs": asked})
    return forms["forms"], dict(zip(jobs, answers, strict=True))


# Forms


def test_the_provider_offers_all_commands_in_both_languages(worked, failed):
    assert set(worked[0]) == set(failed[0]) == {*COMMANDS, "setup"}
    assert worked[0]["train"]["name"] == "Train" and failed[0]["train"]["name"] == "Обучить модель"
    assert failed[0]["score"]["parameters"]["output"]["label"] == "Карта"
    for forms, _ in (worked, failed):
        for name, form in forms.items():
            assert form["can"][0], name
            for key, parameter in form["parameters"].items():
                assert name == "setup" or parameter["help"], (name, key)


def test_no_option_has_a_name_of_its_own_in_the_plugin(worked):
    told = {command["name"]: command for command in description(main)["commands"]}
    grid = {p["name"] for p in told["init"]["parameters"] if p["rare"]}
    for name in COMMANDS:
        form = worked[0][name]["parameters"]
        line = {p["name"]: p for p in told[name]["parameters"] if not p["shell"]}
        of_layers = any("layers" in p["kind"] for p in line.values())
        assert set(line) <= set(form)
        assert set(form) - set(line) <= (OWN | grid if of_layers else set()), name
        for key, parameter in line.items():
            assert form[key]["rare"] == parameter["rare"], (name, key)
            if parameter["type"] != "path":
                assert form[key]["default"] in (parameter["default"], False, ""), (name, key)
                assert form[key]["optional"] != parameter["required"] or (
                    parameter["type"] == "flag"
                ), (name, key)


# The way


def test_every_algorithm_runs_on_the_sample_region(worked, folder):
    for name, answer in worked[1].items():
        assert "sentence" not in answer, (name, answer)
        assert answer["titles"] and answer["percents"][1] == 100, name
        assert answer["results"]["said"], name
    assert "Grid: 320 × 400 cells" in worked[1]["inspect"]["results"]["said"]
    assert "AUC" in worked[1]["validate"]["results"]["said"]
    assert (folder / "validation" / "validation.json").is_file()
    assert 'lang="ru"' in (folder / "gold.html").read_text("utf-8")
    assert worked[1]["report"]["results"]["output"] == str(folder / "gold.html")


def test_layers_of_the_project_become_evidence_by_role(folder, worked):
    from prospect.project import load_project

    project = load_project(folder / "project")
    assert {spec.name: spec.role for spec in project.layers} == {
        "magnetics": "magnetics.tmi",
        "gravity": "gravity.bouguer",
        "lithology": "geology.lithology",
        "Au_ppm": "geochemistry.Au",
    }
    # The filter of the layer held: other faults of the file are not there.
    (thrusts,) = project.vectors
    assert thrusts.role == "faults.thrust"
    assert thrusts.path.resolve() == (folder / "project" / "Надвиги.gpkg").resolve()


def rgb(colour):
    return np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)])


def has(picture, colour, tolerance=2):
    return (np.abs(picture - rgb(colour)) <= tolerance).all(axis=-1)


def picture_of(folder, name):
    return np.asarray(Image.open(folder / f"{name}.png").convert("RGB")).astype(int)


def test_the_map_comes_with_its_colours_name_and_group(worked, folder):
    first, *others = worked[1]["score"]["tree"]
    assert (first["name"], first["group"], first["shown"]) == ("Likelihood, gold", "prospect", True)
    assert first["legend"] == [list(pair) for pair in zip(share_labels(), COLOURS, strict=True)]
    assert {each["name"] for each in others} == {
        "Likelihood, gold: where it may be believed",
        "Likelihood, gold: evidence that leads",
    }
    for each in others:
        assert (each["group"], each["shown"], each["renderer"]) == ("prospect", False, "paletted")
    # A pixel a cell: each has the colour of its share of the ground.
    values = open_map(folder / "gold.tif").read("likelihood")
    classes = np.searchsorted(thresholds(values), values)
    picture = picture_of(folder, "score")
    assert picture.shape[:2] == values.shape
    right = np.zeros(values.shape, bool)
    for k, colour in enumerate(COLOURS):
        right |= (classes == k) & has(picture, colour)
    right |= np.isnan(values) & has(picture, "#ffffff")
    assert right.mean() > 0.995


def test_targets_come_with_their_outlines(worked, folder):
    (layer,) = worked[1]["targets"]["tree"]
    assert (layer["name"], layer["group"]) == ("Targets, gold-targets", "prospect")
    assert [label for label, _ in layer["legend"]] == list(TARGET_LINES)
    picture = picture_of(folder, "targets")
    blue = has(picture, TARGET_LINES["targets"][0], 12)
    assert 0.005 < blue.mean() < 0.3
    assert has(picture, "#ffffff").mean() > 0.5


def test_a_map_compared_with_itself_has_one_colour(worked, folder):
    (layer,) = worked[1]["compare"]["tree"]
    assert layer["name"] == "Change of rank, change"
    picture = picture_of(folder, "compare")
    same = has(picture, CHANGE_COLOURS[3])
    assert same.mean() > 0.5 and (same | has(picture, "#ffffff")).all()


def test_qgis_process_runs_an_algorithm(in_qgis, plugins, command, folder, worked):
    home = folder / "home"
    profile = home / ".local/share/QGIS/QGIS3/profiles/default/python/plugins"
    profile.mkdir(parents=True)
    (profile / "prospect_qgis").symlink_to(plugins / "prospect_qgis")
    home.chmod(0o700)
    made = folder / "by_process.tif"
    path = f"{command.parent}:/usr/bin:/bin"  # where the program is found this time
    # Debian's wrapper hands over an option of the desktop program that this one does not know.
    program_ = ["/usr/bin/qgis_process.bin"]
    if not os.access(program_[0], os.X_OK):
        program_ = ["/usr/bin/qgis_process"]
    done = in_qgis.run([*program_, "plugins", "enable", "prospect_qgis"], home=home, path=path)
    assert done.returncode == 0, done.stdout + done.stderr
    words = [f"model_path={folder / 'gold.prospect'}", f"sources={folder / 'project'}"]
    done = in_qgis.run(
        [*program_, "run", "prospect:score", "--", *words, f"output={made}"], home=home, path=path
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert str(made) in done.stdout
    np.testing.assert_array_equal(
        open_map(made).read("likelihood"), open_map(folder / "gold.tif").read("likelihood")
    )


# Failures


def test_failures_show_the_commands_own_sentence(failed, folder):
    answers = failed[1]
    assert "magnetics" in answers["missing layer"]["sentence"]
    assert answers["missing file"]["sentence"].endswith("файла /nowhere/gold.tif нет.")
    assert "Укажите слои" in answers["no sources"]["sentence"]
    assert "слоя «мимо» нет среди выбранных (gravity)" in answers["unknown role"]["sentence"]
    assert not (folder / "never.tif").exists()


def test_cancelling_stops_the_program(failed, folder):
    answer = failed[1]["cancelled"]
    assert "sentence" not in answer
    assert any("Отменено" in line for line in answer["said"])
    assert answer["children"], "nothing ran when it was cancelled"
    assert answer["seconds"] - answer["cancelled_at"] < 12
    deadline = time.monotonic() + 5
    while (left := [p for p in answer["children"] if Path(f"/proc/{p}").exists()]) and (
        time.monotonic() < deadline
    ):
        time.sleep(0.1)
    assert not left
    assert not (folder / "no.prospect").exists()


def test_results_are_named_in_russian(failed):
    (layer,) = failed[1]["russian"]["tree"]
    assert layer["name"] == "Участки, ru"
    labels = [label for label, _ in layer["legend"]]
    assert labels == ["новые участки", "у известных месторождений", "вне опыта модели"]


def test_a_dry_run_loads_nothing(failed):
    answer = failed[1]["dry run"]
    assert "cells in" in answer["results"]["said"] and answer["tree"] == []


def test_versions_that_do_not_fit_are_said(failed):
    assert "prospect 9.0" in failed[1]["newer"]["sentence"]
    assert "схеме 99" in failed[1]["newer"]["sentence"]
    assert "Найдена программа prospect 0.2" in failed[1]["changed"]["sentence"]


def test_without_the_program_it_is_said_how_to_set_it_up(failed):
    assert "«Prospect: Подготовить»" in failed[1]["no program"]["sentence"]
    assert "Укажите папку с пакетами" in failed[1]["set up from nothing"]["sentence"]


def test_set_up_makes_an_environment_without_a_network(failed):
    answer = failed[1]["set up"]
    assert "sentence" not in answer, answer
    command = Path(answer["results"]["command"])
    assert command.parts[-4:] == ("prospect", "venv-1", "bin", "prospect")
    told = subprocess.run([command, "--describe"], capture_output=True, text=True, check=True)
    assert json.loads(told.stdout)["schema"] == 1
    # An environment of its own, and not that of QGIS.
    assert "include-system-site-packages = false" in (command.parents[1] / "pyvenv.cfg").read_text()
