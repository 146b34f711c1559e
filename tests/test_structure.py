"""Structures from geometry: against shapely, known networks, tiles, and refusals."""

from __future__ import annotations

import naive
import numpy as np
import pytest
import shapely
import xarray as xr
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely import LineString, MultiLineString, Point, box

from prospect.errors import GridError, LayerError, RecipeError
from prospect.features import (
    FeatureBuilder,
    crossing_density,
    distance_to_strike,
    length_density,
    line_density,
    node_density,
    point_density,
    proximity_to_strike,
    strike_variance,
)
from prospect.grid import Grid, Window
from prospect.lines import Measure, measure, nodes, read_segments
from prospect.stack import features_of, vector_layer

X, Y = 500_000.0, 4_400_000.0
CELLS = [(100.0, 100.0), (100.0, 70.0)]


def like(shape=(40, 50), cell=(100.0, 100.0), crs="EPSG:32642"):
    grid = Grid(crs, Affine(cell[1], 0, X, 0, -cell[0], Y), shape)
    return xr.Dataset(coords=grid.coordinates())


def line(*points):
    """Of points in metres east and south of the corner."""
    return LineString([(X + east, Y - south) for east, south in points])


def tangle(seed, count=12, extent=(5000.0, 4000.0), most=6):
    """Rough lines, some of them beyond the grid."""
    rng = np.random.default_rng(seed)
    made = []
    for _ in range(count):
        start = rng.uniform(-0.2, 1.2, 2) * extent
        steps = rng.normal(rng.normal(0, 400, 2), 200, (rng.integers(1, most), 2))
        made.append(line(start, *(start + np.cumsum(steps, axis=0))))
    return made


def layer(lines, shape=(40, 50), cell=(100.0, 100.0)):
    return vector_layer(lines, like=like(shape, cell), name="faults")


def sums(lines, what, shape=(40, 50), cell=(100.0, 100.0), **more):
    source = features_of(layer(lines, shape, cell))
    made = Measure(what, **more)
    return measure(
        read_segments([source], source.grid.window, made.margin), made, source.grid.window
    )


# What is measured


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("seed", range(3))
def test_lengths_and_directions_of_every_cell_are_those_of_its_part_of_the_lines(cell, seed):
    lines = tangle(seed)
    grid = Grid.of(like(cell=cell))
    want = naive.line_parts(lines, grid)
    tolerance = 20 * max(cell) / 2**16
    for what, plane in zip(("length", "cosine", "sine"), want, strict=True):
        np.testing.assert_allclose(sums(lines, what, cell=cell), plane, atol=tolerance)


@pytest.mark.parametrize("seed", range(12))
def test_nodes_are_those_of_all_pairs(seed):
    lines = tangle(seed, 14)
    rng = np.random.default_rng(seed)
    # Ends that abut on another line, one of them a little short of it.
    for short in (0.0, 0.4):
        on = lines[rng.integers(len(lines))].interpolate(rng.uniform(), normalized=True)
        away = rng.normal(0, 800, 2)
        start = np.array([on.x, on.y]) + short * away / np.hypot(*away)
        lines.append(LineString([start, start + away]))
    source = features_of(layer(lines))
    got = nodes(read_segments([source], Window(-100, -100, 300, 300)), 1.0) * [1, -1] + [X, Y]
    want = naive.network_nodes(lines, 1.0)
    assert len(got) == len(want) > 2
    assert all(np.hypot(*(want - point).T).min() <= 2.0 for point in got)


def test_a_grid_of_streets_has_a_node_at_every_corner_and_none_elsewhere():
    rows = [line((150, 250 + 500 * k), (4850, 250 + 500 * k)) for k in range(7)]
    columns = [line((333 + 500 * k, 100), (333 + 500 * k, 3900)) for k in range(9)]
    counts = sums(rows + columns, "nodes", snap=1.0)
    assert counts.sum() == 63
    assert (counts[2:33:5, 3:44:5] == 1).all()
    # One feature of many parts, and every line cut in two, are the same network.
    assert (sums([MultiLineString(rows + columns)], "nodes", snap=1.0) == counts).all()
    halves = [line((150, 1250), (2000, 1250)), line((2000, 1250), (4850, 1250))]
    cut = [*rows[:2], *halves, *rows[3:], *columns]
    assert (sums(cut, "nodes", snap=1.0) == counts).all()


def test_what_is_a_node_and_what_is_none():
    def count(*lines, snap=1.0):
        return sums(list(lines), "nodes", snap=snap).sum()

    base = line((100, 1000), (2900, 1000))
    assert count(base, line((500, 1000), (500, 2000))) == 1
    assert count(base, line((500, 1000.9), (500, 2000))) == 1
    assert count(base, line((500, 1003), (500, 2000))) == 0
    assert count(base, line((500, 1003), (500, 2000)), snap=5.0) == 1
    # An end that overshoots is one node, not a crossing and an end; so is a slanting one.
    assert count(base, line((500, 999.5), (500, 2000))) == 1
    assert count(base, line((497, 999.5), (1500, 1180))) == 1
    # Three ends at one point; two only; a bend.
    ends = [line((1000, 1000), (x, y)) for x, y in ((2000, 500), (100, 900), (1500, 2000))]
    assert count(*ends) == 1
    assert count(*ends[:2]) == 0
    assert count(line((0, 0), (500, 500), (900, 100))) == 0
    # Three lines through one point, each with a vertex there or not.
    star = [line((500, 500), (1500, 1500)), line((500, 1500), (1000, 1000), (1500, 500))]
    assert count(*star, line((1000, 100), (1000, 2000))) == 1
    # A line drawn twice, backwards, and once more in part.
    again = [base, base.reverse(), line((300, 1000), (700, 1000)), line((500, 500), (500, 2000))]
    assert count(*again) == 1
    # A line that comes back over itself.
    assert count(line((100, 100), (900, 900), (900, 100), (100, 900))) == 1


def test_crossings_are_nodes_of_both_layers():
    one = [line((100, 1000), (4000, 1000)), line((100, 2000), (4000, 2000))]
    one.append(line((700, 500), (700, 2500)))
    two = [line((2000, 500), (2000, 1500)), line((3000, 2000), (3000, 3000))]
    two.append(line((4000, 2000), (4900, 2400)))
    grid = like()
    layers = [vector_layer(lines, like=grid) for lines in (one, two)]
    sources = [features_of(each) for each in layers]
    segments = read_segments(sources, sources[0].grid.window)
    assert len(nodes(segments, 1.0, both=True)) == 2
    assert len(nodes(segments, 1.0)) == 4
    got = crossing_density(*layers, radius=100_000.0, shape="square")
    np.testing.assert_allclose(got, 2 / 20, rtol=1e-6)
    swapped = crossing_density(*layers[::-1], radius=100_000.0, shape="square")
    np.testing.assert_array_equal(got, swapped)
    # Two layers that are the same one meet wherever it has a node.
    same = crossing_density(layers[0], layers[0], radius=1e5, shape="square")
    np.testing.assert_allclose(same, 2 / 20, rtol=1e-6)


# Windows over it


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("window", [{"radius": 330.0}, {"radius": 330.0, "shape": "square"}])
def test_densities_and_variance_in_a_window(cell, window):
    lines = tangle(1)
    grid = Grid.of(like(cell=cell))
    length, cosine, sine = naive.line_parts(lines, grid)
    rows, cols = grid.cell.halo(330.0)
    y, x = np.mgrid[-rows : rows + 1, -cols : cols + 1]
    reach = np.inf if "shape" in window else 330.0
    inside = np.hypot(y * cell[0], x * cell[1]) <= reach
    seen = [naive.windows(plane, rows, cols, inside) for plane in (length, cosine, sine)]
    faults = layer(lines, cell=cell)
    got = length_density(faults, **window)
    assert got.attrs["units"] == "km/km2"
    want = np.nanmean(seen[0], axis=-1) * 1e3 / (cell[0] * cell[1])
    np.testing.assert_allclose(got, want, atol=2e-4)
    count = naive.windows(sums(lines, "nodes", cell=cell, snap=1.0), rows, cols, inside)
    want = np.nanmean(count, axis=-1) * 1e6 / (cell[0] * cell[1])
    np.testing.assert_allclose(node_density(faults, **window), want, rtol=1e-6)
    total, east, north = (np.nansum(plane, axis=-1) for plane in seen)
    with np.errstate(invalid="ignore", divide="ignore"):
        want = np.where(total > 0.5, 1 - np.hypot(east, north) / total, np.nan)
    got = strike_variance(faults, **window).values
    some = total > 20
    np.testing.assert_allclose(got[some], want[some], atol=2e-3)
    assert np.isnan(got[total == 0]).all()
    assert some.any() and (total == 0).any()


@pytest.mark.parametrize("cell", CELLS)
def test_a_gaussian_weighs_by_distance_and_stops_at_the_edge(cell):
    lines = tangle(2)
    grid = Grid.of(like(cell=cell))
    bells = []
    for size, step in zip(grid.shape, cell, strict=True):
        away = np.subtract.outer(np.arange(size), np.arange(size)) * step
        bells.append(
            np.where(
                np.abs(away) <= np.ceil(800 / step) * step, np.exp(-0.5 * (away / 200) ** 2), 0
            )
        )
    whole = bells[0] @ np.ones(grid.shape) @ bells[1]

    def mean(plane):
        return bells[0] @ plane.astype(float) @ bells[1] / whole

    faults = layer(lines, cell=cell)
    planes = [sums(lines, what, cell=cell) for what in ("length", "cosine", "sine")]
    area = cell[0] * cell[1]
    got = length_density(faults, sigma=200.0)
    np.testing.assert_allclose(got, mean(planes[0]) * 1e3 / area, atol=1e-6)
    count = sums(lines, "nodes", cell=cell, snap=1.0)
    got = node_density(faults, sigma=200.0)
    np.testing.assert_allclose(got, mean(count) * 1e6 / area, atol=1e-5)
    total, east, north = map(mean, planes)
    some = total > 1e-3
    want = 1 - np.hypot(east, north)[some] / total[some]
    np.testing.assert_allclose(strike_variance(faults, sigma=200.0).values[some], want, atol=1e-4)
    # What is burnt in has the same bell.
    burnt = (count > 0).astype(np.float32)
    points = like(cell=cell).assign(p=(("y", "x"), burnt, {"kind": "geometry"}))["p"]
    got = point_density(points, sigma=200.0)
    np.testing.assert_allclose(got, mean(burnt) * 1e6 / area, atol=1e-5)


def test_one_line_has_no_variance_and_two_across_each_other_all():
    one = layer([line((133, 3871), (4911, 217))])
    for window in ({"radius": 700.0}, {"sigma": 300.0}):
        got = strike_variance(one, **window).values
        assert np.isfinite(got).any() and np.isnan(got).any()
        assert np.nanmax(got) < 1e-4
    bend = layer([line((0, 0), (2500, 2000)), line((2500, 2000), (5000, 4000))])
    assert np.nanmax(strike_variance(bend, radius=700.0)) < 1e-4
    across = layer([line((1000, 2000), (4000, 2000)), line((2500, 500), (2500, 3500))])
    assert strike_variance(across, radius=1e5, shape="square").values == pytest.approx(1, abs=1e-4)
    # Opposite senses are one strike; 60 degrees apart, three ways: none prevails.
    ways = [np.radians(a) for a in (10, 70, 130)]
    star = [line((2500, 2000), (2500 + 900 * np.sin(a), 2000 - 900 * np.cos(a))) for a in ways]
    assert strike_variance(layer(star), radius=1e5, shape="square").values.min() > 0.999
    there_and_back = layer([line((100, 990), (4000, 990)), line((4000, 1010), (100, 1010))])
    assert np.nanmax(strike_variance(there_and_back, radius=500.0)) < 1e-4


def test_length_per_square_kilometre_is_exact_where_a_raster_is_not():
    lines = [line((100, 210 + 150 * k), (4900, 230 + 150 * k)) for k in range(20)]
    kilometres = sum(each.length for each in lines) / 1e3
    faults = layer(lines)
    got = length_density(faults, radius=1e5, shape="square").values
    assert got == pytest.approx(kilometres / 20, rel=1e-5)
    burnt = line_density(faults, radius=1e5, shape="square").values
    assert abs(burnt / (kilometres / 20) - 1).min() > 0.1
    # Half of a line lies beyond the grid, and does not count.
    beyond = layer([line((4000, 1000), (6000, 1000))])
    got = length_density(beyond, radius=1e5, shape="square").values
    assert got == pytest.approx(1 / 20, rel=1e-5)
    assert (length_density(layer([]), radius=500.0) == 0).all()
    assert np.isnan(strike_variance(layer([]), radius=500.0)).all()
    assert (node_density(layer([]), sigma=500.0) == 0).all()


def test_along_the_line_between_two_cells():
    edge = [line((0, 1000), (5000, 1000)), line((2000, 0), (2000, 4000))]
    got = sums(edge, "length")
    assert (got[10] == np.where(np.arange(50) == 20, 200, 100)).all()
    assert (got[:, 20] == np.where(np.arange(40) == 10, 200, 100)).all()
    assert got.sum() == 9000
    assert sums(edge, "nodes", snap=1.0)[10, 20] == 1


def test_distance_by_strike():
    north, east = line((1050, 100), (1050, 3900)), line((100, 2050), (4900, 2050))
    bent = line((3000, 500), (3000, 1500), (4000, 1500))
    faults = layer([north, east, bent])
    got = distance_to_strike(faults, strike=[170, 10], cap=3000.0).values
    burnt = sums([north, line((3000, 500), (3000, 1500))], "length") > 0
    np.testing.assert_allclose(got, naive.distance(burnt, 100, 100, 3000.0), rtol=2e-6)
    got = proximity_to_strike(faults, strike=[80.0, 100.0], scale=500.0).values
    flat = sums([east, line((3000, 1500), (4000, 1500))], "length") > 0
    want = np.exp(-naive.distance(flat, 100, 100, 10_000.0) / 500)
    np.testing.assert_allclose(got, want, rtol=1e-5)
    assert (distance_to_strike(faults, strike=[20, 70], cap=3000.0) == 3000).all()
    diagonal = layer([line((1000, 3000), (2000, 2000))])
    for strike, kilometres in (([45, 60], 1.41421), ([20, 45], 1.41421), ([46, 60], 0)):
        got = length_density(diagonal, radius=1e5, shape="square", strike=strike).values
        assert got * 20 == pytest.approx(kilometres, abs=1e-3)


# Tiles, files and recipes


ROWS = [
    {"name": "l", "operation": "length_density", "of": "a", "radius": 700},
    {"name": "q", "operation": "length_density", "of": "a", "radius": 700, "shape": "square"},
    {"name": "s", "operation": "length_density", "of": "a", "sigma": 300, "strike": [20, 70]},
    {"name": "n", "operation": "node_density", "of": ["a", "b"], "sigma": 300, "snap": 40},
    {"name": "c", "operation": "crossing_density", "of": ["a", "b"], "radius": 500},
    {"name": "v", "operation": "strike_variance", "of": "a", "radius": 700},
    {"name": "w", "operation": "strike_variance", "of": "b", "sigma": 300},
    {"name": "z", "operation": "robust_z", "of": "l"},
    {"name": "d", "operation": "distance_to_strike", "of": "a", "strike": [20, 70], "cap": 900},
    {"name": "p", "operation": "proximity_to_strike", "of": "a", "strike": [20, 70], "scale": 200},
    {"name": "m", "operation": "proximity", "of": "a", "scale": 200},
]  # fmt: skip


@settings(max_examples=5, deadline=None)
@given(
    seed=st.integers(0, 99),
    corner=st.tuples(st.integers(0, 69), st.integers(0, 89)),
    size=st.tuples(st.integers(1, 70), st.integers(1, 90)),
    tile=st.sampled_from([32, 48]),
)
def test_a_tile_equals_the_whole_to_the_bit(seed, corner, size, tile):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("prospect.grid.LATTICE", 16)
        patch.setattr("prospect.features.builder.LATTICE", 16)
        grid = like((70, 90), (100.0, 85.0))
        many = {"extent": (8000.0, 7000.0), "count": 25}
        layers = {n: vector_layer(tangle(seed + k, **many), like=grid) for k, n in enumerate("ab")}
        stack = xr.Dataset(layers)
        builder = FeatureBuilder(ROWS).fit(stack)
        whole = builder.transform(stack).values
        window = Window(*corner, *size).intersect(Window(0, 0, 70, 90))
        rows, cols = window.slices
        part = builder.transform(stack, window).values
        assert part.tobytes() == np.ascontiguousarray(whole[:, rows, cols]).tobytes()
        for place, block in builder.tiles(stack, tile=tile, workers=2):
            assert block.tobytes() == np.ascontiguousarray(whole[:, *place.slices]).tobytes()
        direct = strike_variance(layers["a"], radius=700.0)
        assert direct.values.tobytes() == whole[builder.feature_names.index("v")].tobytes()


def test_odd_geometry_does_no_harm():
    good = [line((100, 1000), (4000, 1500)), line((2000, 300), (2500, 3000))]
    want = {w: sums(good, w, snap=1.0) for w in ("length", "cosine", "sine", "nodes")}
    odd = [
        None,
        LineString(),
        MultiLineString(),
        line((300, 300), (300, 300)),
        good[0].reverse(),
        shapely.force_3d(good[1], 77.0),
        MultiLineString([good[1]]),
        shapely.GeometryCollection([MultiLineString([good[0]]), line((3000, 3000), (3000, 3000))]),
        line((1e9, 1e9), (2e9, 1e9)),
        line((100, 1000), (100, 1000), (4000, 1500)),
    ]
    for what, plane in want.items():
        np.testing.assert_array_equal(sums([*good, *odd], what, snap=1.0), plane)
    ring = shapely.LinearRing([(X + 100, Y - 100), (X + 900, Y - 100), (X + 900, Y - 900)])
    assert sums([ring], "length").sum() == pytest.approx(1600 + 800 * np.sqrt(2), rel=1e-5)


def test_what_it_refuses(make_stack):
    faults = layer(tangle(0))
    with pytest.raises(RecipeError, match="either 'radius' or 'sigma', in metres, but neither"):
        length_density(faults)
    with pytest.raises(RecipeError, match="either 'radius' or 'sigma', in metres, but both came"):
        node_density(faults, radius=500.0, sigma=100.0)
    with pytest.raises(RecipeError, match="'snap' is a length in metres above 0"):
        node_density(faults, radius=500.0, snap=0.0)
    with pytest.raises(RecipeError, match="takes 2 layers, but 1 came"):
        crossing_density(faults, radius=500.0)
    for strike in ([20], [20, 200], [20, 20], [-20, 20], ["a", "b"]):
        with pytest.raises(RecipeError, match=r"'strike' is \[from, to\] in degrees"):
            length_density(faults, radius=500.0, strike=strike)
    degrees = like((9, 9), (0.01, 0.01), "EPSG:4326")
    with pytest.raises(GridError, match="measures in degrees: give a projected one"):
        strike_variance(vector_layer([], like=degrees), radius=500.0)
    for shape, kind in ((Point(X + 50, Y - 50), "point"), (box(X, Y - 500, X + 500, Y), "polygon")):
        with pytest.raises(LayerError, match=f"Lines were expected, but .* holds a {kind}"):
            node_density(layer([shape]), radius=500.0)
    stack = make_stack(burnt=np.zeros((9, 9), np.float32), attrs={"burnt": {"role": "faults"}})
    with pytest.raises(LayerError, match="'burnt' knows the cells they pass"):
        node_density(stack["burnt"], radius=500.0)
    row = {"name": "n", "operation": "node_density", "radius": 500}
    with pytest.raises(RecipeError, match="Feature 'n': The lines themselves are needed"):
        FeatureBuilder([row | {"of": "burnt"}]).fit(stack)
    # By its role alone a raster is not meant.
    value = {"name": "v", "operation": "value", "of": "burnt"}
    assert len(FeatureBuilder([row | {"of": "faults"}, value]).fit(stack).missing_) == 1
    with pytest.raises(RecipeError, match="'v' is a feature of cells"):
        FeatureBuilder([value, row | {"of": "v"}]).fit(stack)
