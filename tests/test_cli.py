"""The command line, as a user types it: what it prints, writes and refuses."""

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import rasterio
from click.testing import CliRunner
from shapely import box

from prospect.cli import main
from prospect.stack import open_stack
from prospect.vector import frame, read_vector, write_vector

LAZY = (
    "xarray", "sklearn", "numba", "rasterio", "geopandas", "pandas", "numpy", "scipy", "matplotlib",
)  # fmt: skip


def run(*arguments, exit_code=0):
    """Run a command in this process and return what it said."""
    result = CliRunner().invoke(main, [str(a) for a in arguments])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == exit_code, result.output
    return result.output


def shell(*arguments, **environment):
    """Run the program as a process of its own."""
    code = "from prospect.cli import run; run()"
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        capture_output=True,
        env={**os.environ, **environment},
        check=False,
        timeout=120,
    )


def refused(*arguments, sentence, leaves=None):
    """A command must end in one sentence, and leave nothing."""
    before = set(leaves.rglob("*")) if leaves else set()
    result = CliRunner().invoke(main, [str(a) for a in arguments])
    assert result.exit_code in (1, 2), result.output
    assert result.exception is None or isinstance(result.exception, SystemExit)
    last = result.output.strip().splitlines()[-1]
    assert last.startswith("Error: "), result.output
    assert sentence in last
    assert "Traceback" not in result.output
    if leaves:
        assert set(leaves.rglob("*")) == before
    return last


@pytest.fixture(scope="session")
def trained(world, region_folder, tmp_path_factory, gold_model):
    return gold_model.save(tmp_path_factory.mktemp("model") / "gold.prospect")


@pytest.fixture
def rasters(world):
    return [spec.path for spec in world.layers]


@pytest.fixture
def vectors(world, tmp_path_factory):
    """The world's vectors as options, each in a file of its own."""
    folder = tmp_path_factory.mktemp("vectors")
    options = []
    for spec in world.vectors:
        path = folder / f"{spec.name}.gpkg"
        write_vector(read_vector(spec.path, layer=spec.layer, where=spec.where), path)
        options += ["--vector", f"{spec.role}={path}"]
    return options


def test_help_is_quick_because_it_is_light():
    code = (
        "import sys; from prospect.cli import main; main(['--help'], standalone_mode=False); "
        f"print('LOADED', [m for m in {LAZY!r} if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "prospect train" in out.stdout
    assert out.stdout.strip().endswith("LOADED []")


@pytest.mark.parametrize("command", sorted(main.commands))
def test_every_command_has_help_with_an_example(command):
    text = run(command, "--help")
    assert f"Example: prospect {command}" in text


@pytest.mark.parametrize(("count", "says"), [(1, "1 layer is in"), (2, "2 layers are in")])
def test_init_counts_as_people_do(write_tif, ramp, tmp_path, count, says):
    for number in range(count):
        write_tif(f"maps/layer_{number}.tif", ramp)
    said = run("init", tmp_path / "maps", "-o", tmp_path / "project", "-q")
    assert f"\n{says} {tmp_path}" in said


@pytest.mark.usefixtures("fewer_cells")
def test_the_whole_way(region_folder, world, tmp_path):
    project = tmp_path / "мой проект"
    rasters = tmp_path / "карты 1"
    rasters.mkdir()
    for spec in world.layers:
        (rasters / spec.path.name).write_bytes(spec.path.read_bytes())
    said = run("init", rasters, "-o", project, "-q")
    assert "magnetics.tmi" in said
    assert "magnetics *" in said
    said = run("inspect", project, "-q")
    assert "Grid: 80 × 100 cells of 1000 m, EPSG:32642" in said
    model = tmp_path / "gold.prospect"
    said = run(
        "train",
        project,
        "-c",
        "gold",
        "--occurrences",
        region_folder / "occurrences.csv",
        "--crs",
        "EPSG:32642",
        "-o",
        model,
        "--workers",
        2,
        "--without",
        "cover",
        "-q",
    )
    assert "km block folds: AUC" in said
    output = tmp_path / "карта.tif"
    said = run("score", model, *rasters.glob("*.tif"), "-o", output, "--workers", 2, "-q")
    assert "Not used by the model:" in said
    with rasterio.open(output) as dataset:
        values = dataset.read(1)
    assert np.nanmax(values) > np.nanmedian(values) > 0
    assert output.with_suffix(".qml").exists()
    assert output.with_suffix(".manifest.json").exists()


def test_scoring_a_project_or_its_files_gives_the_same_map(
    trained, region_folder, rasters, vectors, tmp_path
):
    one, two, three = (tmp_path / f"{n}.tif" for n in "abc")
    run("score", trained, region_folder, "-o", one, "-q")
    run("score", trained, *rasters, *vectors, "-o", two, "-q")
    run("score", trained, *reversed(rasters), *vectors, "-o", three, "-q", "--tile", 64)
    assert one.read_bytes() == two.read_bytes() == three.read_bytes()


def test_a_map_without_known_deposits(rasters, vectors, tmp_path):
    model, output = tmp_path / "sb.prospect", tmp_path / "sb.tif"
    train = ["train", *rasters, *vectors, "-c", "antimony", "-o", model, "-q"]
    refused(*train, leaves=tmp_path, sentence="deposit type with --learner fuzzy")
    said = run(*train, "--learner", "fuzzy")
    assert "0 known deposits" in said
    assert "not measured" in said
    said = run("score", model, *rasters, *vectors, "-o", output, "-q")
    assert "not measured" in said
    with rasterio.open(output) as dataset:
        values = dataset.read(1)
    assert np.nanmax(values) - np.nanmin(values) > 0.1


@pytest.mark.usefixtures("fewer_cells")
def test_a_learner_is_chosen_by_name(region_folder, tmp_path):
    model = tmp_path / "gold.prospect"
    train = ["train", region_folder, "-c", "gold", "-o", model, "-q", "--learner"]
    refused(*train, "oracle", leaves=tmp_path, sentence="There is no learner 'oracle'")
    assert "km block folds: AUC" in run(*train, "logistic")


def test_a_renamed_layer_is_refused_and_mapped(trained, rasters, vectors, tmp_path):
    renamed = tmp_path / "surprise.tif"
    rest = [p for p in rasters if p.stem != "magnetics"]
    renamed.write_bytes(next(p for p in rasters if p.stem == "magnetics").read_bytes())
    out = tmp_path / "out"
    out.mkdir()
    common = [*vectors, "-o", out / "m.tif", "-q"]
    refused(
        "score",
        trained,
        renamed,
        *rest,
        *common,
        leaves=out,
        sentence="needs the layer 'magnetics' (role magnetics.tmi)",
    )
    run("score", trained, renamed, *rest, *common, "--map", f"magnetics={renamed}")
    assert (out / "m.tif").exists()


def test_a_missing_and_an_ambiguous_layer_are_refused(trained, rasters, vectors, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    common = [*vectors, "-o", out / "m.tif", "-q"]
    rest = [p for p in rasters if p.stem != "magnetics"]
    refused("score", trained, *rest, *common, leaves=out, sentence="needs the layer 'magnetics'")
    magnetics = next(p for p in rasters if p.stem == "magnetics").read_bytes()
    twins = [tmp_path / "mag_north.tif", tmp_path / "mag_south.tif"]
    for twin in twins:
        twin.write_bytes(magnetics)
    refused("score", trained, *twins, *rest, *common, leaves=out, sentence="could all be that")


def test_cells_of_another_size_are_refused(trained, region_folder, tmp_path):
    project = tmp_path / "fine"
    project.mkdir()
    text = (region_folder / "prospect.toml").read_text("utf-8")
    text = text.replace('like = "magnetics"', 'like = "magnetics"\ncell = 500')
    (project / "prospect.toml").write_text(
        text.replace('path = "', f'path = "{region_folder.as_posix()}/'), "utf-8"
    )
    refused(
        "score",
        trained,
        project,
        "-o",
        tmp_path / "m.tif",
        "-q",
        sentence="Cells of 1000 × 1000 were expected",
    )


@pytest.fixture
def tiff(tmp_path, region):
    """Write a small GeoTIFF of one layer."""
    from affine import Affine

    from prospect.grid import Grid
    from prospect.raster import write_geotiff

    def write(name, crs="EPSG:32642", corner=(600_000, 4_400_000), cell=1000.0):
        grid = Grid(crs, Affine(cell, 0, corner[0], 0, -cell, corner[1]), (20, 30))
        values = np.random.default_rng(0).normal(size=grid.shape).astype(np.float32)
        write_geotiff(tmp_path / name, values, grid, nodata=np.nan)
        return tmp_path / name

    return write


def test_layers_that_cannot_be_used_are_refused(tiff, tmp_path, region_folder):
    occurrences = ["--occurrences", region_folder / "occurrences.csv", "--crs", "EPSG:32642"]
    train = ["train", "-c", "gold", "-q", "-o", tmp_path / "m.prospect", *occurrences]
    refused(*train, tmp_path / "none.tif", leaves=tmp_path, sentence="There is no file")
    text = tmp_path / "notes.tif"
    text.write_text("not a raster")
    refused(*train, text, leaves=tmp_path, sentence="cannot be opened as GeoTIFF")
    magnetics = tiff("magnetic.tif")
    far = tiff("gravity.tif", corner=(100_000, 100_000))
    refused(*train, magnetics, far, leaves=tmp_path, sentence="does not overlap the grid")
    degrees = tiff("mag.tif", crs="EPSG:4326", corner=(70, 40), cell=0.01)
    last = refused(*train, degrees, leaves=tmp_path, sentence="measures in degrees")
    assert "EPSG:32642" in last
    refused("inspect", tmp_path / "none", sentence="There is no")
    refused("init", tmp_path / "none", sentence="There is no folder")


def test_occurrences_that_cannot_be_used_are_refused(region_folder, tmp_path):
    train = ["train", region_folder, "-c", "gold", "-q", "-o", tmp_path / "m.prospect"]
    far = tmp_path / "far.csv"
    far.write_text("x,y\n1,2\n")
    crs = ["--crs", "EPSG:32642"]
    refused(*train, "--occurrences", far, *crs, sentence="No occurrence of gold falls inside")
    refused(*train, "--occurrences", far, sentence="without a coordinate system")
    refused(*train, "--occurrences", tmp_path / "none.csv", sentence="There is no file")
    full = (region_folder / "occurrences.csv").read_text("utf-8").splitlines()
    gold = [line for line in full if ",gold," in line][:3]
    few = tmp_path / "three.csv"
    few.write_text("\n".join([full[0], *gold]))
    refused(*train, "--occurrences", few, *crs, sentence="deposits of gold lie on usable ground")
    refused(
        "train", region_folder, "-c", "unobtainium", "-q", sentence="no commodity 'unobtainium'"
    )
    faults = region_folder / "faults.gpkg"
    refused(*train, "--occurrences", faults, sentence="lines, but points were expected")
    assert not (tmp_path / "m.prospect").exists()


@pytest.mark.real
def test_hostile_files_are_refused(real_data, tmp_path):
    for path in sorted((real_data / "hostile_tiff").glob("*.tif")):
        refused("inspect", path, "-q", sentence=path.name)


def test_a_folder_that_cannot_be_written_is_refused(trained, region_folder, tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    refused(
        "score",
        trained,
        region_folder,
        "-o",
        blocked / "m.tif",
        "-q",
        sentence="There is no folder",
    )
    refused(
        "train",
        region_folder,
        "-c",
        "gold",
        "-o",
        blocked / "m.prospect",
        "-q",
        sentence="There is no folder",
    )


@pytest.mark.skipif(sys.platform == "win32", reason="file size limits are of POSIX systems")
def test_a_disk_that_fills_leaves_nothing(trained, region_folder, tmp_path):
    code = (
        "import resource, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); "
        "resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000)); "
        "from prospect.cli import run; run()"
    )
    command = [
        sys.executable,
        "-c",
        code,
        "score",
        trained,
        region_folder,
        "-o",
        tmp_path / "m.tif",
        "-q",
    ]
    # Compiled kernels are files too, so they are not to be written under the limit.
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1"}
    result = subprocess.run(
        [str(c) for c in command],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        env=environment,
    )
    assert result.returncode == 1, result.stderr
    assert "cannot be written (the disk is full)" in result.stderr
    assert "Traceback" not in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_wrong_options_are_usage_errors(region_folder, trained, tmp_path):
    run("score", trained, region_folder, "-o", tmp_path / "m.tif", "--map", "x", exit_code=2)
    run("train", region_folder, exit_code=2)
    run("score", trained, region_folder, "-o", tmp_path / "m.tif", "--engine", "steam", exit_code=2)


def test_an_old_locale_is_no_obstacle(region_folder):
    result = shell("inspect", region_folder, LC_ALL="C", PYTHONUTF8="0")
    assert result.returncode == 0, result.stderr.decode()
    assert "·" not in result.stdout.decode("utf-8")
    assert "…" in result.stdout.decode("utf-8")


@pytest.mark.skipif(sys.platform == "win32", reason="signals are of POSIX systems")
def test_ctrl_c_leaves_nothing_broken(trained, region_folder, tmp_path):
    code = (
        # What a shell starts in the background is deaf to Ctrl-C, and so are its children.
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "import time; import prospect.scoring.engines as s; real = s.score_tile\n"
        "def slow(job, window):\n"
        "    print('tile', flush=True); time.sleep(30); return real(job, window)\n"
        "s.score_tile = slow\n"
        "from prospect.cli import run; run()"
    )
    command = [
        sys.executable,
        "-c",
        code,
        "score",
        trained,
        region_folder,
        "-o",
        tmp_path / "m.tif",
        "-q",
        "--engine",
        "serial",
    ]
    process = subprocess.Popen(
        [str(c) for c in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline().strip() == "tile"
    process.send_signal(2)
    start = time.monotonic()
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert time.monotonic() - start < 20
    assert "Interrupted" in said
    assert "Traceback" not in said
    assert list(tmp_path.iterdir()) == []


def test_doctor_tells_versions():
    said = run("doctor")
    for name in ("prospect", "memory", "GDAL", "scikit-learn"):
        assert name in said


def test_the_rio_plugin_is_registered():
    text = (Path(__file__).parents[1] / "pyproject.toml").read_text("utf-8")
    assert '[project.entry-points."rasterio.rio_plugins"]' in text


@pytest.mark.usefixtures("fewer_cells")
def test_area_permissive_ground_and_reserves(region_folder, region, tmp_path):
    west, south, east, north = region.grid.bounds
    middle = (west + east) / 2
    for name, shape in {
        "area": box(west, south, middle + 10_000, north),
        "reserve": box(west, (south + north) / 2, east, north),
    }.items():
        write_vector(frame({"id": [1]}, [shape], "EPSG:32642"), tmp_path / f"{name}.gpkg")
    model, output = tmp_path / "m.prospect", tmp_path / "m.tif"
    test = "lithology not in (granitoid, 'neogene molasse')"
    run(
        *("train", region_folder, "-c", "gold", "-o", model, "-q", "--folds", 3),
        *("--area", tmp_path / "area.gpkg", "--permissive", test, "--block-size", 10_000),
    )
    run("score", model, region_folder, "-o", output, "-q", "--exclude", tmp_path / "reserve.gpkg")
    with rasterio.open(output) as dataset:
        values = dataset.read(1)
    lithology = open_stack(region_folder)["lithology"]
    codes = {name: code for code, name in lithology.attrs["classes"].items()}
    assert np.isnan(values[:40]).all()
    assert np.isnan(values[:, 61:]).all()
    for name in ("granitoid", "neogene molasse"):
        assert np.isnan(values[lithology.values == codes[name]]).all()
    assert np.isfinite(values[40:, :60]).any()
    refused(
        *("train", region_folder, "-c", "gold", "-q", "-o", tmp_path / "n.prospect"),
        *("--permissive", "colour in (red)"),
        sentence="names the layer 'colour'",
    )
    refused(
        *("train", region_folder, "-c", "gold", "-q", "-o", tmp_path / "n.prospect"),
        *("--without", "gravyty"),
        sentence="There is no layer 'gravyty'",
    )


@pytest.mark.real
def test_esri_grids_open_on_request(real_data):
    grids = real_data / "lapland_gold" / "original_esri_grid_samples"
    refused("inspect", grids / "magnetic", "-q", sentence="There is no")
    said = run("inspect", grids / "magnetic", "--allow-driver", "AIG", "-q")
    assert "magnetics.tmi" in said
    assert "1002 × 769 cells of 500 m" in said


def test_what_was_done_to_layers_is_said(trained, region_folder, tmp_path):
    project = tmp_path / "shifted"
    project.mkdir()
    text = (region_folder / "prospect.toml").read_text("utf-8")
    text = text.replace('like = "magnetics"', 'crs = "EPSG:32643"\ncell = 1000')
    (project / "prospect.toml").write_text(
        text.replace('path = "', f'path = "{region_folder.as_posix()}/'), "utf-8"
    )
    said = run("score", trained, project, "-o", tmp_path / "m.tif", "-q")
    assert "layers are brought onto the grid" in said
    with rasterio.open(tmp_path / "m.tif") as dataset:
        assert dataset.crs.to_epsg() == 32643
        assert np.isfinite(dataset.read(1)).any()
