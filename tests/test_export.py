"""A map handed over: bytes of classes for any GIS, and a sheet of paper."""

import math
import xml.etree.ElementTree as ET

import numpy as np
import pyogrio
import pytest
import rasterio
from affine import Affine
from click.testing import CliRunner
from PIL import Image
from pyproj import CRS, Proj, Transformer
from shapely import box

from prospect.cli import main
from prospect.errors import LayerError, OutputError
from prospect.export import write_classes, write_sheet
from prospect.export.classes import classify, share_limits
from prospect.export.frame import fit
from prospect.export.paper import Paper
from prospect.export.scale import (
    convergence,
    degrees,
    graticule,
    lengths_of_bar,
    multiples,
    round_scale,
    round_step,
)
from prospect.export.sheet import COLOURS as INKS
from prospect.export.sheet import NAME, _digits, _free
from prospect.grid import Grid
from prospect.map_file import open_map
from prospect.raster import write_geotiff
from prospect.styles import COLOURS, SHARES
from prospect.vector import frame

GRID = Grid("EPSG:32642", Affine(1000, 0, 500_000, 0, -1000, 4_400_000), (40, 50))
UTM = CRS("EPSG:32642")


@pytest.fixture
def values():
    """Every score once, and a row of gaps."""
    made = np.random.default_rng(1).permutation(GRID.rows * GRID.cols).reshape(GRID.shape)
    made = (made / made.size).astype(np.float32)
    made[0] = np.nan
    return made


@pytest.fixture
def scored(values, tmp_path):
    path = tmp_path / "gold.tif"
    write_geotiff(path, values, GRID, nodata=np.nan, description="likelihood")
    return path


@pytest.fixture
def targets():
    lists = {"rank": [1, 1], "list": ["targets", "outside experience"], "area_km2": [25.0, 9.0],
             "peak": [0.9, 0.8], "lon": [69.1, 69.2], "lat": [39.5, 39.6]}  # fmt: skip
    shapes = [box(505e3, 4_370e3, 510e3, 4_375e3), box(530e3, 4_380e3, 533e3, 4_383e3)]
    return frame(lists, shapes, GRID.crs)


def test_classes_are_shares_of_the_ground(scored, values, tmp_path):
    output = tmp_path / "classes.tif"
    write_classes(output, scored)
    with rasterio.open(output) as dataset:
        found = dataset.read(1)
        assert dataset.dtypes == ("uint8",)
        assert dataset.compression.name == "deflate"
        assert dataset.nodata == 255
        assert dataset.transform == GRID.transform
    assert (found[0] == 255).all()
    known = values[1:].size
    for k, share in enumerate(SHARES):
        assert (found[1:] > k).sum() == pytest.approx(share * known, abs=1)
    order = np.argsort(values[1:], axis=None)
    assert (np.diff(found[1:].ravel()[order].astype(int)) >= 0).all()


def test_classes_bring_palette_names_and_counts(scored, tmp_path):
    output = tmp_path / "classes.tif"
    written = write_classes(output, scored, language="ru")
    assert all(path.is_file() for path in written)
    assert {p.name for p in tmp_path.iterdir()} == {"gold.tif", *(p.name for p in written)}
    with rasterio.open(output) as dataset:
        palette, cells = dataset.colormap(1), dataset.read(1)
        assert dataset.colorinterp[0].name == "palette"
    for k, colour in enumerate(COLOURS):
        assert "#{:02x}{:02x}{:02x}".format(*palette[k][:3]) == colour
    table = pyogrio.read_dataframe(tmp_path / "classes.tif.vat.dbf", read_geometry=False)
    assert list(table["Value"]) == list(range(7))
    assert list(table["Count"]) == [int((cells == k).sum()) for k in range(7)]
    assert table["Class_name"].iloc[-1] == "лучший 1 % площади"
    assert list(table.loc[6, ["Red", "Green", "Blue"]]) == list(palette[6][:3])
    names = ET.parse(tmp_path / "classes.tif.aux.xml").findall(".//Category")
    assert [name.text for name in names] == list(table["Class_name"])
    colours = [line.split() for line in (tmp_path / "classes.clr").read_text().splitlines()]
    assert [tuple(map(int, line[1:])) for line in colours] == [palette[k][:3] for k in range(7)]


def test_a_large_map_of_classes_has_overviews_of_classes(tmp_path):
    grid = Grid("EPSG:32642", Affine(100, 0, 500_000, 0, -100, 4_400_000), (600, 1300))
    values = np.random.default_rng(0).random(grid.shape).astype(np.float32)
    write_geotiff(tmp_path / "a.tif", values, grid, nodata=np.nan, description="likelihood")
    write_classes(tmp_path / "b.tif", tmp_path / "a.tif")
    with rasterio.open(tmp_path / "b.tif") as dataset:
        assert dataset.overviews(1) == [2, 4]
        assert set(np.unique(dataset.read(1, out_shape=(150, 325)))) <= set(range(7))


def test_a_limit_belongs_to_the_class_below():
    cells = np.array([0.1, 0.5, 0.50001, 0.9, np.nan], np.float32)
    assert list(classify(cells, [0.1, float(np.float32(0.5)), 0.8])) == [1, 1, 2, 3, 255]


def test_classes_are_refused_in_one_sentence(scored, tmp_path):
    with pytest.raises(OutputError, match=r"ends in \.tif"):
        write_classes(tmp_path / "a.png", scored)
    with pytest.raises(OutputError, match="the map itself"):
        write_classes(scored, scored)
    empty = np.full(GRID.shape, np.nan, np.float32)
    write_geotiff(tmp_path / "e.tif", empty, GRID, nodata=np.nan, description="likelihood")
    with pytest.raises(LayerError, match="no score"):
        write_classes(tmp_path / "b.tif", tmp_path / "e.tif")


@pytest.mark.parametrize(
    ("ratio", "wanted"), [(1, 1), (352_000, 400_000), (200_000, 200_000), (810, 1000), (101, 125)]
)
def test_scales_are_round_and_never_too_large(ratio, wanted):
    assert round_scale(ratio) == pytest.approx(wanted)


def test_steps_and_multiples():
    assert [round_step(length) for length in (1, 4.9, 5, 27_000, 0.3)] == [1, 2, 5, 20_000, 0.2]
    assert list(multiples(-3, 12, 5)) == [0, 5, 10]
    assert list(multiples(10, 20, 5)) == [10, 15, 20]
    assert lengths_of_bar(44_000) == (0, 5000, 10_000, 20_000, 30_000, 40_000)


def test_the_graticule_meets_the_frame_where_it_should():
    bounds = (600e3, 4_350e3, 700e3, 4_450e3)
    sides = graticule(bounds, UTM)
    to_degrees = Transformer.from_crs(UTM, "EPSG:4326", always_xy=True)
    edge = {"left": 0, "bottom": 1, "right": 2, "top": 3}
    for side, ticks in sides.items():
        assert 2 <= len(ticks) <= 10
        for tick in ticks:
            at = bounds[edge[side]]
            upright = side in ("left", "right")
            lon, lat = to_degrees.transform(*((at, tick.at) if upright else (tick.at, at)))
            whole, rest = tick.label[:-1].rstrip("′").split("°")
            told = int(whole) + int(rest) / 60
            assert tick.label[-1] == ("N" if upright else "E")
            assert (lat if upright else lon) == pytest.approx(told, abs=1e-5)
    assert (
        graticule(bounds, CRS("EPSG:32642"), suffixes=("в", "з", "с", "ю"))["top"][0].label[-1]
        == "в"
    )


def test_degrees_are_told_in_whole_minutes():
    assert degrees(70 * 60 + 5, "EW") == "70°05′E"
    assert degrees(-30, "NS") == "0°30′S"
    assert degrees(0, "NS") == "0°00′"


def test_true_north_is_where_the_projection_says():
    bounds = (700e3, 4_400e3, 720e3, 4_420e3)
    lon, lat = Transformer.from_crs(UTM, "EPSG:4326", always_xy=True).transform(710e3, 4_410e3)
    told = Proj(UTM).get_factors(lon, lat).meridian_convergence
    # Grid north lies east of true north by the convergence, so true north to its west.
    assert convergence(bounds, UTM) == pytest.approx(-told, abs=1e-3)
    assert told > 1


@pytest.mark.parametrize("bounds", [(0, 0, 100e3, 80e3), (0, 0, 80e3, 100e3), (0, 0, 3e5, 1e4)])
def test_the_sheet_lies_as_the_map_is_larger(bounds):
    found = fit(bounds)
    across = found.paper_width > found.paper_height
    assert across == (bounds[2] > bounds[3])
    assert found.scale == round_scale(found.scale)
    assert found.width == pytest.approx(1000 * (found.bounds[2] - found.bounds[0]) / found.scale)
    assert found.height == pytest.approx(1000 * (found.bounds[3] - found.bounds[1]) / found.scale)
    assert found.bounds[0] < bounds[0] and found.bounds[3] > bounds[3]
    assert found.across(bounds[0]) > found.x and found.up(bounds[3]) < found.y + found.height
    for left, top, width in found.columns:
        assert left > 10 and left + width < found.paper_width - 10 and top < found.paper_height


def test_texts_are_wrapped_to_millimetres():
    paper = Paper(100, 50)
    text = "ground of the highest scores, first of all"
    lines = paper.wrap(text, 30, 8)
    assert " ".join(lines) == text
    assert len(lines) > 1
    assert all(paper.measure(line, 8) <= 30 for line in lines)
    assert paper.wrap("unbreakable", 1, 8) == ["unbreakable"]


def texts(figure):
    from matplotlib.text import Text

    return {text.get_text() for text in figure.findobj(Text)}


@pytest.fixture
def drawn(monkeypatch):
    """The papers that were drawn."""
    from prospect.export import sheet

    kept, draw = [], sheet._drawn

    def noted(content):
        kept.append(draw(content))
        return kept[-1]

    monkeypatch.setattr(sheet, "_drawn", noted)
    return kept


def test_a_sheet_says_what_a_map_must(scored, targets, tmp_path, drawn):
    output = write_sheet(tmp_path / "gold.pdf", scored, targets=targets)
    assert output.read_bytes()[:5] == b"%PDF-"
    said = texts(drawn[0].figure)
    assert {
        "Gold (orogenic and intrusion-related)",
        "Scale 1 : 200\u202f000",
        "1 cm is 2 km",
    } <= said
    assert {"T1", "X1", "new ground", "outside experience", "best 1 % of the ground"} <= said
    assert {"40\u202f km"} & said or any(text.endswith(" km") for text in said)
    assert any("Competent" in text for text in said)
    assert any("39°30′N" in text for text in said)
    assert "25.0" in said


def test_a_sheet_in_russian(scored, targets, tmp_path, drawn):
    write_sheet(tmp_path / "gold.svg", scored, targets=targets.to_crs("EPSG:4326"), language="ru")
    said = texts(drawn[0].figure)
    assert {"Масштаб 1 : 200\u202f000", "Оговорка", "новые площади", "25,0"} <= said
    assert any("с. ш." in text for text in said)
    left = [text for text in said if "ground" in text or "Known" in text]
    assert not left


def test_colours_and_scale_of_a_sheet_are_those_meant(scored, values, tmp_path):
    output = write_sheet(tmp_path / "gold.png", scored)
    picture = np.asarray(Image.open(output).convert("RGB")).astype(int)
    assert picture.shape[:2] == pytest.approx((297 / 25.4 * 200, 420 / 25.4 * 200), abs=1)
    # The row of gaps in the north is cut off.
    west, south, east, north = GRID.bounds
    found = fit((west, south, east, north - 1000))
    best = np.unravel_index(np.nanargmax(values), GRID.shape)
    for row, col in (best, np.unravel_index(np.nanargmin(values), GRID.shape)):
        # A quarter off the middle: there is no line of the grid.
        x, y = GRID.x[col] + 250, GRID.y[row] - 250
        down, right = picture.shape[0] - found.up(y) / 25.4 * 200, found.across(x) / 25.4 * 200
        ink = INKS[-1] if (row, col) == best else INKS[0]
        wanted = [int(ink[i : i + 2], 16) for i in (1, 3, 5)]
        assert np.abs(picture[int(down), int(right)] - wanted).max() <= 3


def test_a_sheet_is_cut_to_where_there_is_a_score(values, tmp_path, drawn):
    values[:20] = np.nan
    values[:, 25:] = np.nan
    write_geotiff(tmp_path / "gold.tif", values, GRID, nodata=np.nan, description="likelihood")
    write_sheet(tmp_path / "gold.svg", tmp_path / "gold.tif")
    assert "Scale 1 : 100\u202f000" in texts(drawn[0].figure)
    west, east = drawn[0].figure.axes[-1].get_xlim()
    assert (west + east) / 2 == pytest.approx(512_500)


def test_names_of_targets_do_not_cover_each_other():
    taken = []
    for _ in range(9):
        taken.append(_free(100, 100, taken))
    assert taken[0] == (100, 100)
    for k, (x, y) in enumerate(taken):
        for a, b in taken[:k]:
            assert abs(x - a) >= NAME[0] or abs(y - b) >= NAME[1]
    assert _free(100, 100, taken) is None


def test_limits_are_told_with_two_figures():
    told = {0.42: 2, 0.071: 3, 0.0033: 4, 0.0: 2, 1.0: 2}
    assert {value: _digits(value) for value in told} == told


def test_inks_darken_evenly():
    def lightness(colour):
        linear = [(int(colour[i : i + 2], 16) / 255) ** 2.2 for i in (1, 3, 5)]
        return 116 * float(np.dot(linear, [0.2126, 0.7152, 0.0722])) ** (1 / 3) - 16

    steps = -np.diff([lightness(ink) for ink in INKS])
    assert steps.min() > 6 and steps.max() < 3.2 * steps.min()


def test_a_sheet_with_model_and_layers(gold_model, world, scored, tmp_path, drawn):
    from prospect.scoring import score
    from prospect.stack import open_stack

    path = score(gold_model, open_stack(world), tmp_path / "world.tif", workers=2)
    style = ET.fromstring((tmp_path / "world.qml").read_text(encoding="utf-8").split("\n", 1)[1])
    limits = [float(item.get("value")) for item in style.findall(".//item")[:-1]]
    assert share_limits(open_map(path)) == limits
    first = write_sheet(tmp_path / "a.pdf", path, gold_model, world)
    assert (
        first.read_bytes() == write_sheet(tmp_path / "b.pdf", path, gold_model, world).read_bytes()
    )
    said = texts(drawn[0].figure)
    assert {"Known deposits", "Faults"} <= said
    assert any(text.startswith("AUC on ground held out") for text in said)
    # Shaded: more colours than the ramp has.
    (image,) = drawn[0].figure.axes[-1].images
    assert len(np.unique(np.asarray(image.get_array()).reshape(-1, 3), axis=0)) > 50


def test_sheets_are_refused_in_one_sentence(scored, tmp_path):
    with pytest.raises(OutputError, match="endings"):
        write_sheet(tmp_path / "a.docx", scored)


def test_the_command_writes_both(scored, tmp_path):
    done = CliRunner().invoke(main, ["export", str(scored)])
    assert done.exit_code == 0, done.output
    assert (tmp_path / "gold.classified.tif").is_file()
    assert (tmp_path / "gold.pdf").stat().st_size > 10_000
    assert done.output.startswith("Written: ")
    one = CliRunner().invoke(main, ["export", str(scored), "-o", str(tmp_path / "x.jpg")])
    assert one.exit_code == 1 and "endings" in one.output


def test_a_local_grid_has_a_sheet_without_degrees(values, tmp_path, drawn):
    grid = Grid("local-metres", GRID.transform, GRID.shape)
    write_geotiff(tmp_path / "gold.tif", values, grid, nodata=np.nan, description="likelihood")
    write_sheet(tmp_path / "gold.svg", tmp_path / "gold.tif")
    assert not any("°" in text for text in texts(drawn[0].figure))
    assert convergence(GRID.bounds, grid.crs) is None
    assert math.isfinite(fit(GRID.bounds).scale)
