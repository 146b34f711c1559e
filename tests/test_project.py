"""prospect.toml: read, refused, and written."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prospect.errors import OutputError, ProjectError
from prospect.project import (
    GridSpec,
    LayerSpec,
    OccurrenceSpec,
    Project,
    VectorSpec,
    load_project,
    write_project,
)

FULL = """
format = 1
[grid]
like = "магнитка"
crs = "EPSG:32642"
cell = 100
bounds = [0, 0, 1000, 2000.5]
[layers."магнитка"]
path = "карты/mag 1.tif"
band = 2
role = "magnetics.rtp"
unit = "nT"
required = true
nodata = -9999
[layers.lith]
path = "../общее/lith.tif"
kind = "categorical"
resampling = "mode"
[layers.lith.classes]
1 = "сланец"
20 = "известняк \\"светлый\\""
[vectors.faults]
path = "faults.gpkg"
layer = "faults"
where = "type = 'thrust'"
role = "faults.thrust"
crs = "EPSG:28412"
[occurrences]
path = "точки.csv"
commodity = "COMMODITY"
x = "lon"
"""


@pytest.fixture
def write(tmp_path):
    def put(text, encoding="utf-8"):
        path = tmp_path / "prospect.toml"
        path.write_bytes(text.encode(encoding))
        return path

    return put


def test_all_that_a_file_can_say(write, tmp_path):
    project = load_project(write(FULL))
    assert project == load_project(tmp_path)
    assert project.grid == GridSpec("магнитка", "EPSG:32642", 100, (0, 0, 1000, 2000.5))
    mag, lith = project.layers
    assert mag == LayerSpec(
        "магнитка",
        tmp_path / "карты" / "mag 1.tif",
        band=2,
        role="magnetics.rtp",
        unit="nT",
        required=True,
        nodata=-9999,
    )
    assert lith.classes == {1: "сланец", 20: 'известняк "светлый"'}
    assert (lith.kind, lith.resampling, lith.required) == ("categorical", "mode", False)
    (faults,) = project.vectors
    assert faults.where == "type = 'thrust'"
    assert faults.path == tmp_path / "faults.gpkg"
    assert project.occurrences == OccurrenceSpec(
        tmp_path / "точки.csv", commodity="COMMODITY", x="lon"
    )


def test_what_notepad_saves_is_read(write):
    assert load_project(write(FULL, "utf-8-sig")).layers


def test_what_is_written_is_read_back(write, tmp_path):
    project = load_project(write(FULL))
    doubtful = replace(project.layers[0], doubts=("which\nunit?",))
    path = tmp_path / "prospect.toml"
    write_project(replace(project, layers=(doubtful, *project.layers[1:])), path)
    assert load_project(path) == replace(project, grid=load_project(path).grid)
    assert load_project(path).grid == project.grid
    text = path.read_text(encoding="utf-8")
    assert "# doubtful: which unit?" in text
    assert 'path = "карты/mag 1.tif"' in text
    assert 'path = "../общее/lith.tif"' in text
    assert [p.name for p in tmp_path.iterdir()] == ["prospect.toml"]


def test_cyrillic_names_in_the_c_locale(write, tmp_path):
    write(FULL)
    code = (
        "import sys; from pathlib import Path; from prospect.project import *;"
        "p = load_project(sys.argv[1]); write_project(p, Path(sys.argv[1]) / 'карта.toml');"
        "print(p.layers[0].name)"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code, str(tmp_path)],
        capture_output=True,
        check=False,
        timeout=60,
        env={**os.environ, "LC_ALL": "C"},
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.decode().strip() == "магнитка"
    assert load_project(tmp_path / "карта.toml").layers == load_project(tmp_path).layers


def test_paths_stay_relative_to_the_file(tmp_path):
    layer = LayerSpec("mag", tmp_path / "data" / "mag.tif")
    (tmp_path / "project").mkdir()
    path = tmp_path / "project" / "prospect.toml"
    write_project(Project(tmp_path, layers=(layer,)), path)
    assert 'path = "../data/mag.tif"' in path.read_text(encoding="utf-8")
    moved = tmp_path / "elsewhere"
    path.parent.rename(moved)
    assert load_project(moved).layers[0].path.resolve() == layer.path
    with pytest.raises(OutputError, match="There is no folder"):
        write_project(Project(tmp_path), tmp_path / "missing" / "prospect.toml")


words = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=12)


@settings(max_examples=60, deadline=None)
@given(
    name=words,
    unit=words,
    classes=st.dictionaries(st.integers(0, 99), words, max_size=3),
    nodata=st.none() | st.floats(allow_nan=False),
    where=words,
)
def test_any_words_survive(tmp_path_factory, name, unit, classes, nodata, where):
    folder = tmp_path_factory.mktemp("any")
    layer = LayerSpec(name, folder / "a.tif", unit=unit, classes=classes, nodata=nodata)
    vector = VectorSpec(name + "_", folder / "b.shp", where=where)
    project = Project(folder, layers=(layer,), vectors=(vector,))
    write_project(project, folder / "prospect.toml")
    assert load_project(folder) == project


LAYER = 'format = 1\n[layers.mag]\npath = "a.tif"\n'


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("format = 1\n[grid", "cannot be read as TOML"),
        ("", "has format = None, but 1 was expected"),
        ("format = 2", "has format = 2, but 1 was expected"),
        ("format = true", "has format = True"),
        ("format = 1\n[layer.mag]", r"unknown part \[layer\]; known: grid, layers"),
        ("format = 1\nlayers = 3", r"\[layers\] holds tables, as in \[layers.magnetics\]"),
        ("format = 1\n[layers]\nmag = 3", r"\[layers\] holds tables"),
        ("format = 1\ngrid = 3", r"\[grid\] is a table"),
        ("format = 1\n[layers.mag]\nband = 1", r"\[layers.mag\] is incomplete: it needs a path"),
        ('format = 1\n[layers.mag]\npath = ""', r"\[layers.mag\] needs a path"),
        ("format = 1\n[occurrences]", r"\[occurrences\] is incomplete"),
        (LAYER + "colour = 1", "unknown key 'colour'; known: path, band, role"),
        (LAYER + 'name = "other"', "unknown key 'name'"),
        (LAYER + "doubts = []", "unknown key 'doubts'"),
        (LAYER + 'band = "1"', "band = '1' is not understood: a whole number was expected"),
        (LAYER + "band = true", "a whole number was expected"),
        (LAYER + "band = 1.5", "a whole number was expected"),
        (LAYER + "required = 1", "required = 1 is not understood: true or false was expected"),
        (LAYER + "unit = 3", "unit = 3 is not understood: a text in quotes was expected"),
        (LAYER + "nodata = true", "nodata = True is not understood: a number was expected"),
        (LAYER + 'kind = "classes"', "kind is continuous or categorical, not 'classes'"),
        (LAYER + "classes = 3", 'classes are code = "name"'),
        (LAYER + '[layers.mag.classes]\none = "x"', 'classes are code = "name"'),
        (LAYER + '[vectors.mag]\npath = "b.shp"', "both a layer and a vector 'mag'"),
        (
            "format = 1\n[grid]\nbounds = [0, 0, 1]",
            r"bounds = .*: \[west, south, east, north\] was",
        ),
        ('format = 1\n[grid]\nbounds = [0, 0, 1, "a"]', r"bounds = .* was expected"),
        ('format = 1\n[grid]\ncell = "100 m"', "a number was expected"),
        ('format = 1\n[grid]\nlike = "mag"', "like = 'mag' is none of the layers"),
    ],
)
def test_what_is_not_understood_is_said(write, text, says):
    path = write(text)
    with pytest.raises(ProjectError, match=says) as error:
        load_project(path)
    assert str(path) in str(error.value)


def test_missing_and_foreign_files(tmp_path):
    with pytest.raises(ProjectError, match=r"There is no .*prospect.toml: make one with .*init"):
        load_project(tmp_path)
    with pytest.raises(ProjectError, match=r"There is no .*missing"):
        load_project(tmp_path / "missing")
    (tmp_path / "prospect.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ProjectError, match="cannot be read as TOML"):
        load_project(tmp_path)


def test_layers_can_be_left_out():
    project = Project(
        Path(), layers=(LayerSpec("a", Path("a")), LayerSpec("b", Path("b"))),
        vectors=(VectorSpec("c", Path("c")),),
    )  # fmt: skip
    less = project.without(["a", "c"])
    assert ([s.name for s in less.layers], less.vectors) == (["b"], ())
    assert project.without(iter(["a"])).layers == less.layers
    with pytest.raises(ProjectError, match="no layer 'z'; known: a, b, c"):
        project.without(["z"])


@pytest.mark.parametrize(
    "text",
    ["a = " + "[" * 100_000, "a = " + "9" * 5000, 'a = "\udcff"', "a = 1e", "\0"],
    ids=["deep", "long", "bytes", "number", "nul"],
)
def test_a_project_file_that_means_harm_is_a_sentence(tmp_path, text):
    (tmp_path / "prospect.toml").write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(ProjectError, match="cannot be read as TOML"):
        load_project(tmp_path)
