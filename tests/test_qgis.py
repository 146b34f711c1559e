"""Maps, classes and targets opened in a real QGIS: they come with the colours and names meant."""

import xml.etree.ElementTree as ET

import numpy as np
import pytest
from affine import Affine
from PIL import Image
from shapely import box

from prospect.export import write_classes
from prospect.grid import Grid
from prospect.map_file import open_map
from prospect.raster import write_geotiff
from prospect.scoring import score
from prospect.stack import open_stack
from prospect.styles import COLOURS, TARGET_LINES, share_labels
from prospect.targets.writing import write_targets
from prospect.vector import frame

pytestmark = pytest.mark.qgis
GRID = Grid("EPSG:32642", Affine(1000, 0, 500_000, 0, -1000, 4_400_000), (30, 40))
PIXELS = 20
VECTORS = ("gold-targets.gpkg|layername=gold-targets", "gold-targets.gpkg", "gold-targets.shp",
           "gold-targets.geojson")  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("qgis")


@pytest.fixture(scope="module")
def opened(folder, gold_model, world, in_qgis):
    """What QGIS says of every file, and its picture."""
    score(gold_model, open_stack(world), folder / "score.tif", workers=2)
    values = np.random.default_rng(0).random(GRID.shape).astype(np.float32)
    values[3:6, 5:9] = np.nan
    write_geotiff(folder / "gold.tif", values, GRID, nodata=np.nan, description="likelihood")
    write_classes(folder / "gold.classified.tif", folder / "gold.tif")
    lists = {"rank": [1, 2, 1, 1], "list": ["targets", "targets", *list(TARGET_LINES)[1:]]}
    squares = [box(x, y, x + 8e3, y + 8e3) for x in (505e3, 525e3) for y in (4_375e3, 4_389e3)]
    targets = frame(lists, squares, GRID.crs)
    write_targets(targets, folder / "gold-targets.gpkg", ("shp", "geojson"))
    rows, cols = open_map(folder / "score.tif").grid.shape
    sizes = {
        "score.tif": (PIXELS * cols, PIXELS * rows),
        "gold.classified.tif": (PIXELS * GRID.cols, PIXELS * GRID.rows),
        **dict.fromkeys(VECTORS, (800, 600)),
    }
    jobs = [
        {
            "path": str(folder / name),
            "png": str(folder / f"{k}.png"),
            "width": width,
            "height": height,
            "margin": 0.0 if name.endswith(".tif") else 0.01 if "geojson" in name else 1e3,
        }
        for k, (name, (width, height)) in enumerate(sizes.items())
    ]
    answers = in_qgis("qgis_render.py", jobs)
    assert len(answers) == len(sizes)
    return {
        name: (answer, np.asarray(Image.open(job["png"]).convert("RGB")).astype(int))
        for name, answer, job in zip(sizes, answers, jobs, strict=True)
    }


def rgb(colour):
    return np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)])


def close(picture, colour, tolerance=12):
    """Which pixels have a colour."""
    return (np.abs(picture - rgb(colour)) <= tolerance).all(axis=-1)


def classes_of(values, limits):
    """The class of every cell, a cell at a time; -1 for gaps."""
    found = np.full(values.shape, -1)
    for place, value in np.ndenumerate(values):
        if value == value:
            found[place] = sum(float(value) > limit for limit in limits)
    return found


def agree(picture, classes):
    """Every pixel of every cell has the colour of its class, and gaps are white."""
    for k, colour in zip(range(-1, len(COLOURS)), ("#ffffff", *COLOURS), strict=True):
        meant = np.kron(classes == k, np.ones((PIXELS, PIXELS), bool))
        assert (close(picture, colour, 2) == meant).all(), f"class {k}"


def test_a_map_of_scores_comes_with_its_colours(opened, folder):
    answer, picture = opened["score.tif"]
    assert answer["valid"] and answer["styled"] and answer["crs"] == "EPSG:32642"
    assert answer["renderer"] == "singlebandpseudocolor"
    assert answer["legend"] == [list(pair) for pair in zip(share_labels(), COLOURS, strict=True)]
    style = ET.fromstring((folder / "score.qml").read_text(encoding="utf-8").split("\n", 1)[1])
    limits = [float(item.get("value")) for item in style.findall(".//item")[:-1]]
    agree(picture, classes_of(open_map(folder / "score.tif").read("likelihood"), limits))


def test_classes_come_with_their_colours_and_names(opened, folder):
    answer, picture = opened["gold.classified.tif"]
    assert answer["styled"] and answer["renderer"] == "paletted"
    assert [colour for _, colour in answer["legend"]] == list(COLOURS)
    assert answer["legend"][-1][0] == "best 1 % of the ground"
    values = open_map(folder / "gold.tif").read("likelihood")
    limits = np.quantile(values[values == values], [0.5, 0.8, 0.9, 0.95, 0.98, 0.99])
    agree(picture, classes_of(values, limits))


@pytest.mark.parametrize("name", VECTORS)
def test_targets_come_with_outlines_and_names(opened, name):
    answer, picture = opened[name]
    assert answer["valid"] and answer["styled"] and answer["features"] == 4
    assert answer["renderer"] == "categorizedSymbol"
    assert answer["legend"] == list(TARGET_LINES)
    assert answer["labels"] == ["T1", "T2", "K1", "X1"]
    # In quarters of the picture, as they lie: T2 over T1 in the west, X1 over K1 in the east.
    half_rows, half_cols = picture.shape[0] // 2, picture.shape[1] // 2
    quarters = {
        "T1": picture[half_rows:, :half_cols],
        "T2": picture[:half_rows, :half_cols],
        "K1": picture[half_rows:, half_cols:],
        "X1": picture[:half_rows, half_cols:],
    }
    blue, grey = TARGET_LINES["targets"][0], TARGET_LINES["outside experience"][0]
    drawn = {k: int(close(part, blue).sum()) for k, part in quarters.items()}
    assert drawn["T1"] > 1.5 * drawn["K1"] > 500, drawn
    assert drawn["T2"] > 1.5 * drawn["K1"], drawn
    assert drawn["X1"] == 0
    assert close(quarters["X1"], grey).sum() > 300
    for part in quarters.values():
        # A name in the middle, dark on its white rim.
        rows, cols = (close(part, "#141414", 30)).nonzero()
        assert rows.size > 20
        assert np.ptp(rows) < 40 and np.ptp(cols) < 60
