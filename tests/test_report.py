"""The page to hand over: what stands in it; test_report_page.py opens it in a browser."""

import base64
import io
import json
import re

import numpy as np
import pytest
from affine import Affine
from PIL import Image
from shapely import LineString, Polygon

from prospect.errors import OutputError, ProspectError
from prospect.grid import Grid
from prospect.report import write_report
from prospect.report.language import LANGUAGES, load_language, translated
from prospect.report.overlays import lines_of, rings_of
from prospect.report.surfaces import by_class, by_ramp, by_share, shade
from prospect.scoring import score
from prospect.stack import open_stack
from prospect.styles import COLOURS
from prospect.vector import frame


@pytest.fixture(scope="module")
def scored(gold_model, world, tmp_path_factory):
    path = tmp_path_factory.mktemp("report") / "gold.tif"
    return score(gold_model, open_stack(world), path, workers=2)


@pytest.fixture(scope="module")
def page(gold_model, world, scored):
    path = write_report(scored.with_suffix(".html"), scored, gold_model, world)
    return path.read_text(encoding="utf-8")


def data_of(page):
    found = re.search(r'<script id="data" type="application/json">(.*?)</script>', page, re.S)
    return json.loads(found[1])


def codes(surface):
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(surface.png))))


def test_the_page_holds_everything_and_asks_for_nothing(page):
    without_texts = re.sub(r"<script.*?</script>", "", page, flags=re.S)
    assert not re.search(r"""(src|href)=["'](?!data:|#)""", without_texts)
    assert not re.search(r"@import|url\((?!#|data:)(?!images/)", without_texts)
    assert "default-src 'none'" in page
    assert len(page) < 10e6


def test_the_numbers_of_the_model_stand_in_the_page(page, gold_model):
    row = gold_model.measures[gold_model.measures["measure"] == "auc"].iloc[0]
    assert f"{row['value']:.2f} ({row['low']:.2f}–{row['high']:.2f})" in page
    assert "not a probability" in page
    assert "JORC" in page
    for told in gold_model.record["inputs"].values():
        assert told["sha256"] in page


def test_the_map_has_the_deposits_and_the_faults(page, gold_model):
    data = data_of(page)
    assert len(data["deposits"]) == gold_model.record["labels"]["deposits"]
    assert set(data["lines"]) == {"thrusts", "strike_slip"}
    west, south, east, north = data["grid"]["bounds"]
    x, y = np.array(data["deposits"]).T
    assert ((west < x) & (x < east) & (south < y) & (y < north)).all()
    names = [s["name"] for s in data["surfaces"]]
    assert names == ["likelihood", "dissimilarity", "applicable", "driver", "relief"]
    assert data["outside"] == "applicable"


def test_longitudes_and_latitudes_are_those_of_the_corners(page):
    grid = data_of(page)["grid"]
    from pyproj import Transformer

    to_degrees = Transformer.from_crs("EPSG:32642", "EPSG:4326", always_xy=True)
    west, _, _, north = grid["bounds"]
    lon, lat = to_degrees.transform(1000 * west, 1000 * north)
    assert grid["degrees"]["lon"][0][0] == pytest.approx(lon, abs=1e-5)
    assert grid["degrees"]["lat"][0][0] == pytest.approx(lat, abs=1e-5)


def test_the_page_is_the_same_twice(page, gold_model, world, scored, tmp_path):
    again = write_report(tmp_path / "again.html", scored, gold_model, world)
    assert again.read_text(encoding="utf-8") == page


def test_russian_has_its_own_decimal_and_title(gold_model, scored, tmp_path):
    path = write_report(tmp_path / "ru.html", scored, gold_model, language="ru")
    text = path.read_text(encoding="utf-8")
    row = gold_model.measures[gold_model.measures["measure"] == "auc"].iloc[0]
    assert '<html lang="ru">' in text
    assert f"{row['value']:.2f}".replace(".", ",") in text
    assert "Золото (орогенное и связанное с интрузиями)" in text


def test_without_layers_there_is_a_map_still(gold_model, scored, tmp_path):
    path = write_report(tmp_path / "bare.html", scored, gold_model)
    data = data_of(path.read_text(encoding="utf-8"))
    assert "relief" not in [s["name"] for s in data["surfaces"]]
    assert data["lines"] == {}


def test_of_a_long_list_of_targets_the_first_are_shown_and_the_rest_folded_up(
    gold_model, scored, tmp_path
):
    grid = data_of(write_report(tmp_path / "a.html", scored, gold_model).read_text("utf-8"))["grid"]
    x, y = 1000 * grid["bounds"][0], 1000 * grid["bounds"][1]
    square = Polygon([(x, y), (x + 5e3, y), (x + 5e3, y + 5e3), (x, y + 5e3)])
    count = 23
    table = frame(
        {"rank": range(1, count + 1), "list": "targets", "area_km2": 25.0, "share": 0.01},
        [square] * count,
        "EPSG:32642",
    )
    path = write_report(tmp_path / "b.html", scored, gold_model, targets=table)
    shown, folded = path.read_text(encoding="utf-8").split("<summary>3 more, smaller ones")
    assert shown.count('class="goto"') == 20
    assert folded.split("</details>")[0].count('class="goto"') == 3


def test_targets_are_listed_inside_and_outside(gold_model, scored, tmp_path):
    grid = data_of(write_report(tmp_path / "a.html", scored, gold_model).read_text("utf-8"))["grid"]
    x, y = 1000 * grid["bounds"][0], 1000 * grid["bounds"][1]
    square = Polygon([(x, y), (x + 5e3, y), (x + 5e3, y + 5e3), (x, y + 5e3)])
    table = frame(
        {
            "rank": [1, 1],
            "list": ["targets", "outside experience"],
            "area_km2": [25.0, 25.0],
            "share": [0.5, 0.1],
            "drivers": ["faults <b>", "assays"],
        },
        [square, square],
        "EPSG:32642",
    )
    path = write_report(tmp_path / "b.html", scored, gold_model, targets=table)
    text = path.read_text(encoding="utf-8")
    assert [t["kind"] for t in data_of(text)["targets"]] == ["inside", "outside"]
    assert "faults &lt;b&gt;" in text
    assert "Outside experience: promising" in text
    assert len(data_of(text)["targets"][0]["polygons"][0][0]) == 5


def test_a_verdict_is_told_in_the_language(gold_model, scored, tmp_path):
    row = {"value": 0.6, "difference": 0.2, "low": 0.1, "high": 0.3, "certainty": 0.99}
    told = {"baselines": [{"baseline": "chance", **row}], "alarms": []}
    path = write_report(tmp_path / "a.html", scored, gold_model, validation=told)
    assert "Better than every baseline, for certain." in path.read_text("utf-8")
    path = write_report(tmp_path / "b.html", scored, gold_model, validation=told, language="ru")
    text = path.read_text("utf-8")
    assert "Достоверно лучше всех простых правил." in text
    assert "+0,20 по AUC" in text


def test_data_cannot_end_the_script_it_stands_in(gold_model, scored, tmp_path):
    from dataclasses import replace

    model = replace(gold_model, title="</script><script>alert(1)</script>")
    text = write_report(tmp_path / "x.html", scored, model).read_text("utf-8")
    assert "<script>alert(1)" not in text


def test_only_pages_are_written(gold_model, scored, tmp_path):
    with pytest.raises(OutputError, match=r"ends in \.html"):
        write_report(tmp_path / "report.pdf", scored, gold_model)


def test_a_language_that_is_not_there(gold_model, scored, tmp_path):
    with pytest.raises(ProspectError, match="There is no report in 'fr'; there is one in en, ru"):
        write_report(tmp_path / "report.html", scored, gold_model, language="fr")


def test_languages_have_the_same_keys():
    # Words for texts of the program itself, which are English already.
    optional = {"titles", "baselines", "figures", "verdict", "deposit_models", "grids"}
    optional |= {"applicability", "evidence_names", "roles", "notes", "alarms"}
    english = load_language("en").words
    for code in LANGUAGES:
        words = load_language(code).words
        assert set(words) - optional == set(english) - optional
        for section in set(words) - optional:
            if isinstance(words[section], dict):
                assert set(words[section]) == set(english[section]), section
    assert set(load_language("ru").verdict) == set(load_language("en").verdict)


def test_numbers_follow_the_language():
    assert load_language("en").number(-0.5) == "−0.50"
    assert load_language("ru").number(1234.5, 1) == "1234,5"
    assert load_language("ru").number(None) == "–"
    assert load_language("ru").number(float("nan")) == "–"


def test_texts_of_figures_keep_their_values():
    words = {"fold {k}: {n} cells": "часть {k}: {n} ячеек"}
    assert translated("fold 3: 17 cells", words) == "часть 3: 17 ячеек"
    assert translated("fold", words) == "fold"


def test_shares_of_the_area_have_the_colours_of_the_style():
    values = np.arange(10_000, dtype=np.float32).reshape(100, 100)
    values[0, 0] = np.nan
    surface = by_share("likelihood", values)
    found = codes(surface)
    assert found[0, 0] == 0
    colour = np.array(surface.colours)[found[found > 0] - 1]
    assert np.mean(colour == COLOURS[-1]) == pytest.approx(0.01, abs=1e-3)
    assert np.mean(colour == COLOURS[0]) == pytest.approx(0.5, abs=1e-3)
    k = found[60, 0] - 1
    assert surface.values[k] == pytest.approx(values[60, 0], rel=0.05)
    assert surface.shares[k] == pytest.approx(0.4, abs=0.02)


def test_ramps_reach_from_low_to_high_and_gaps_are_empty():
    values = np.linspace(2, 6, 400, dtype=np.float32).reshape(20, 20)
    values[5] = np.nan
    found = codes(by_ramp("spread", values))
    assert (found[5] == 0).all()
    assert found[0, 0] == 1
    assert found[-1, -1] == 255


def test_level_ground_has_a_ramp():
    found = codes(by_ramp("spread", np.full((4, 4), 3.0, np.float32)))
    assert (found > 0).all()


def test_classes_keep_their_numbers():
    cells = np.array([[-1, 0], [1, 2]], np.int32)
    np.testing.assert_array_equal(codes(by_class("driver", cells, "abc")), [[0, 1], [2, 3]])


def test_shade_is_grey():
    surface = shade("relief", np.array([[0.0, 1.0, np.nan]], np.float32))
    np.testing.assert_array_equal(codes(surface), [[1, 255, 0]])


def test_outlines_keep_their_holes():
    ring = [(0, 0), (9000, 0), (9000, 9000), (0, 9000)]
    hole = [(3000, 3000), (6000, 3000), (6000, 6000), (3000, 6000)]
    (rings,) = rings_of(Polygon(ring, [hole]), 10.0)
    assert len(rings) == 2
    assert (3.0, 6.0) in rings[1]


def test_lines_end_at_the_map(make_stack):
    from prospect.stack import vector_layer

    stack = make_stack(elevation=np.zeros((20, 20), np.float32))
    grid = Grid.of(stack)
    west, south, _, _ = grid.bounds
    line = frame({}, [LineString([(west - 5e3, south + 500), (west + 900, south + 500)])], grid.crs)
    stack["faults"] = vector_layer(line, like=stack, role="faults.thrust", name="faults")
    (found,) = lines_of(stack, grid)["faults"]
    assert min(x for x, _ in found) == pytest.approx(west / 1000)


def test_a_grid_without_degrees_has_none(gold_model, scored):
    from prospect.report.contents import _place

    local = Grid('LOCAL_CS["survey",UNIT["metre",1]]', Affine(10, 0, 0, 0, -10, 0), (4, 4))
    assert _place(local)["degrees"] is None
