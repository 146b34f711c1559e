"""Figures of layers and maps: what is drawn, where, and in which units."""

import numpy as np
import pytest
from shapely import LineString, Point

from prospect import plots
from prospect.plots import maps
from prospect.stack import vector_layer
from prospect.styles import COLOURS
from prospect.vector import frame


@pytest.fixture
def stack(make_stack, field):
    made = make_stack(
        attrs={"magnetics": {"units": "nT"}},
        magnetics=field((30, 40)),
        lithology=np.random.default_rng(0).integers(-1, 12, (30, 40)).astype(np.int32),
    )
    shapes = [LineString([(600_500, 4_399_500), (603_000, 4_398_000)]), Point(601_000, 4_398_000)]
    table = frame({"name": ["a", "b"]}, shapes, "EPSG:32642")
    faults = vector_layer(table, like=made, name="faults", role="faults.thrust")
    return made.assign(faults=faults)


def titled(figure):
    return {axes.get_title(): axes for axes in figure.axes if axes.get_title()}


def test_every_layer_of_a_stack_is_drawn_in_its_place(stack):
    figure = plots.plot_stack(stack, "All", columns=2)
    panels = titled(figure)
    assert set(panels) == {"magnetics", "lithology", "faults"}
    (image,) = panels["magnetics"].images
    assert image.get_extent() == pytest.approx([600, 604, 4397, 4400])
    shown = np.ma.filled(image.get_array(), np.nan)
    np.testing.assert_array_equal(shown, stack["magnetics"].to_numpy())
    codes = np.ma.filled(panels["lithology"].images[0].get_array(), np.nan)
    classes = stack["lithology"].to_numpy()
    np.testing.assert_array_equal(np.isnan(codes), classes < 0)
    np.testing.assert_array_equal(codes[classes >= 0], classes[classes >= 0] % 7)
    assert "nT" in {axes.get_ylabel() for axes in figure.axes}
    assert figure.get_supxlabel() == "Easting (km)"
    assert figure.get_supylabel() == "Northing (km)"


def test_lines_are_drawn_from_their_features(stack):
    axes = titled(plots.plot_stack(stack))["faults"]
    (lines,) = axes.collections
    paths = [path.vertices for path in lines.get_paths()]
    assert any(np.allclose(path, [[600.5, 4399.5], [603, 4398]]) for path in paths)
    (points,) = axes.lines
    np.testing.assert_allclose(points.get_xydata(), [[601, 4398]])


def test_large_layers_are_thinned_regularly(make_stack):
    values = np.arange(700 * 900, dtype=np.float32).reshape(700, 900)
    layer = make_stack(a=values)["a"]
    seen, extent = maps._thinned(layer, 400)
    np.testing.assert_array_equal(seen, values[::3, ::3])
    assert extent == pytest.approx((600, 690, 4400 - 70.2, 4400))


def test_a_map_has_shares_of_the_ground_and_deposits(make_stack):
    values = np.random.default_rng(0).permutation(3000).reshape(50, 60).astype(np.float32)
    values[0, 0] = np.nan
    layer = make_stack(a=values)["a"]
    figure = plots.plot_map(layer, np.array([[601_000.0, 4_399_000.0]]), "Gold")
    axes = titled(figure)["Gold"]
    codes = np.ma.filled(axes.images[0].get_array().astype(float), np.nan)
    assert np.isnan(codes[0, 0]) and np.isnan(codes).sum() == 1
    assert np.nansum(codes == 6) == 30
    assert np.nansum(codes >= 1) == 1499
    assert list(axes.images[0].cmap.colors) == list(COLOURS)
    np.testing.assert_allclose(axes.lines[0].get_xydata(), [[601, 4399]])
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("Easting (km)", "Northing (km)")
    labels = [text.get_text() for text in figure.axes[-1].get_yticklabels()]
    assert labels[-1] == "top 1 %"


def test_a_map_without_deposits(make_stack):
    figure = plots.plot_map(make_stack(a=np.ones((5, 6), np.float32))["a"])
    assert not figure.legends
