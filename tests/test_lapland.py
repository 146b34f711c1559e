"""The real case: gold in Lapland, from the survey's own layers."""

import hashlib
import subprocess
import sys
import time

import numpy as np
import pytest
import rasterio

from prospect.grid import Grid
from prospect.inspection import survey_folder
from prospect.project import OccurrenceSpec
from prospect.report import write_report
from prospect.scoring import score
from prospect.stack import open_stack
from prospect.training import train

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def lapland(real_data):
    return real_data / "lapland_gold"


def test_layers_are_guessed_and_doubts_are_told(lapland):
    project, reports, refused = survey_folder(lapland / "rasters")
    roles = {report.spec.name: report.spec.role for report in reports}
    assert refused == []
    assert len(roles) == 34
    assert not [name for name, role in roles.items() if role.startswith("other.")]
    assert roles["geochemistry_till_gc_au"] == "geochemistry.Au"
    assert roles["derivatives_study_area_g"] == "area.study"
    assert project.grid.like == "geophysics_magnetic"


def test_the_survey_and_our_alignment_agree(lapland):
    # A layer on the survey's own grid comes out as it is in the file.
    stack = open_stack(sorted((lapland / "rasters").glob("*.tif")), like="geophysics_magnetic")
    with rasterio.open(lapland / "rasters" / "geophysics_magnetic.tif") as dataset:
        raw = dataset.read(1, masked=True).filled(np.nan)
    np.testing.assert_array_equal(stack["geophysics_magnetic"].values, raw)
    assert Grid.of(stack).shape == (1002, 769)
    # A shifted one keeps its values within the range of its neighbours.
    with rasterio.open(lapland / "rasters" / "geochemistry_till_gc_au.tif") as dataset:
        shifted = dataset.read(1, masked=True).filled(np.nan)
    ours = stack["geochemistry_till_gc_au"].values[1:-1]
    around = np.stack([shifted[:-2], shifted[1:-1], shifted[2:]])
    inside = np.isfinite(around).all(axis=0) & np.isfinite(ours)
    assert inside.sum() > 390_000
    assert (ours[inside] >= around.min(axis=0)[inside] * (1 - 1e-5)).all()
    assert (ours[inside] <= around.max(axis=0)[inside] * (1 + 1e-5)).all()


def test_a_report_of_a_grid_on_no_multiple_of_its_cell(lapland, tmp_path):
    """The survey's corner is at 7,797,103 m north, by cells of 500 m."""
    project = survey_folder(lapland / "rasters")[0]
    names = ("geochemistry_till_gc_au", "geochemistry_till_gc_te", "geophysics_magnetic")
    others = [spec.name for spec in project.layers if spec.name not in names]
    stack = open_stack(project.without(others))
    where = OccurrenceSpec(lapland / "vectors" / "Orogenic_Au.shp")
    model = train(stack, where, "gold", estimator="woe")
    score(model, stack, tmp_path / "gold.tif")
    page = write_report(tmp_path / "gold.html", tmp_path / "gold.tif", model, project)
    assert "geochemistry_till_gc_te" in page.read_text(encoding="utf-8")


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def killed_in_the_middle(score, folder):
    """Begin to score by small tiles, and kill the process once a third of them are done."""
    (folder / "again.tif").unlink()
    code = "from prospect.cli import run; run()"
    given = [*map(str, score), "--tile", "256", "--engine", "serial", "-q"]
    with subprocess.Popen([sys.executable, "-c", code, *given]) as child:
        for _ in range(6000):
            journals = list(folder.glob(".*/journal.jsonl"))
            if journals and journals[0].read_text().count("\n") > 4:
                break
            assert child.poll() is None, "it ended before it could be killed"
            time.sleep(0.01)
        child.kill()
    assert not (folder / "again.tif").exists()
    assert list(folder.glob(".*/journal.jsonl"))


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="peak memory is told by POSIX systems")
def test_the_whole_chain_in_time_and_memory(lapland, tmp_path):
    import resource

    def command(*arguments):
        code = "from prospect.cli import run; run()"
        subprocess.run([sys.executable, "-c", code, *map(str, arguments)], check=True)

    start = time.monotonic()
    command("init", lapland / "rasters", "-o", tmp_path / "lapland", "-q")
    command(
        "train",
        tmp_path / "lapland",
        "-c",
        "gold",
        "--occurrences",
        lapland / "vectors" / "Orogenic_Au.shp",
        "-o",
        tmp_path / "gold.prospect",
        "-q",
    )
    command(
        "score",
        tmp_path / "gold.prospect",
        *(lapland / "rasters").glob("*.tif"),
        "-o",
        tmp_path / "gold.tif",
        "--workers",
        2,
        "-q",
    )
    seconds = time.monotonic() - start
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
    assert seconds < 300, f"{seconds:.0f} s"
    assert peak < 1.5
    again = "score", tmp_path / "gold.prospect", tmp_path / "lapland", "-o", tmp_path / "again.tif"
    ways = [("--tile", tile) for tile in (64, 257, 4096)]
    ways += [("--engine", engine, "--tile", 512) for engine in ("serial", "processes")]
    digests = set()
    for way in ways:
        command(*again, *way, "-q")
        digests.add(digest(tmp_path / "again.tif"))
    killed_in_the_middle(again, tmp_path)
    command(*again, "--tile", 256, "--resume", "-q")
    digests.add(digest(tmp_path / "again.tif"))
    assert digests == {digest(tmp_path / "gold.tif")}
    with rasterio.open(tmp_path / "gold.tif") as dataset:
        assert np.isfinite(dataset.read(1)).sum() > 390_000
