"""Moving windows: against plain NumPy, by tiles, and what they refuse."""

from __future__ import annotations

import os
import subprocess
import sys

import naive
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prospect._kernels import rank, set_rank
from prospect.errors import RecipeError
from prospect.features.focal import (
    focal_max,
    focal_mean,
    focal_min,
    focal_range,
    focal_statistics,
    focal_std,
    local_z,
    share_above,
    valid_count,
)
from prospect.features.focal_rank import (
    class_entropy,
    class_majority,
    focal_median,
    focal_percentile,
)
from prospect.features.smoothing import difference_of_gaussians, gaussian
from prospect.grid import Cell

SQUARE = Cell(10.0, 10.0)
OBLONG = Cell(20.0, 10.0)

MEASURES = [
    (focal_mean, np.mean, {}),
    (focal_std, np.std, {}),
    (focal_min, np.min, {}),
    (focal_max, np.max, {}),
    (focal_range, np.ptp, {}),
    (focal_median, np.median, {}),
    (focal_percentile, lambda v: np.percentile(v, 83), {"percentile": 83.0}),
    (share_above, lambda v: np.mean(v > np.float32(0.4)), {"threshold": 0.4}),
]
SHAPES = [(23, 31), (1, 40), (40, 1), (1, 1)]

each_measure = pytest.mark.parametrize(
    ("operation", "measure", "more"), MEASURES, ids=[m[0].name for m in MEASURES]
)


def circle(cell, radius):
    """Which cells of the window have their centre within the radius."""
    rows, cols = cell.halo(radius)
    y, x = np.mgrid[-rows : rows + 1, -cols : cols + 1]
    return np.hypot(y * cell.dy, x * cell.dx) <= radius * (1 + 1e-12)


@each_measure
@pytest.mark.parametrize("gaps", [0.0, 0.02, 0.6])
def test_equals_the_measure_of_every_window(operation, measure, more, gaps):
    for shape in SHAPES:
        layer = naive.field(shape, gaps)
        for cell, radius in ((SQUARE, 10.0), (OBLONG, 35.0), (SQUARE, 110.0)):
            got = naive.apply(operation, layer, cell, 8, radius=radius, min_valid=0.3, **more)
            want = naive.focal(layer, *cell.halo(radius), measure, 0.3)
            np.testing.assert_allclose(got, want, rtol=2e-6, atol=1e-6)


@each_measure
def test_a_circle_holds_the_cells_within_its_radius(operation, measure, more):
    for shape in [(19, 23), (1, 30), (30, 1)]:
        layer = naive.field(shape, 0.1)
        for cell, radius in ((SQUARE, 10.0), (OBLONG, 50.0), (SQUARE, 64.0)):
            inside = circle(cell, radius)
            rows, cols = cell.halo(radius)
            got = naive.apply(
                operation, layer, cell, 8, radius=radius, min_valid=0.3, shape="circle", **more
            )
            want = naive.focal(layer, rows, cols, measure, 0.3, inside)
            np.testing.assert_allclose(got, want, rtol=2e-6, atol=1e-6)


@settings(max_examples=30, deadline=None)
@given(
    shape=st.tuples(st.integers(1, 90), st.integers(1, 90)),
    reach=st.tuples(st.integers(1, 9), st.integers(1, 20)),
    share=st.sampled_from([0.0, 0.25, 0.5, 0.83, 1.0]),
    gaps=st.sampled_from([0.0, 0.02, 0.7, 1.0]),
    digits=st.sampled_from([0, 1, 7]),
    turned=st.booleans(),
)
def test_all_ways_to_a_quantile_lead_to_one_value(shape, reach, share, gaps, digits, turned):
    rows, cols = reach[::-1] if turned else reach
    layer = np.round(naive.field(shape, gaps, seed=shape[0]), digits)
    block = np.pad(layer, ((rows, rows), (cols, cols)), constant_values=np.nan)
    a, b, c = (np.empty(shape, np.float32) for _ in range(3))
    across, down = np.full(2 * rows + 1, cols), np.full(2 * cols + 1, rows)
    rank.window_rank(block, across, down, share, 3, 32, a)
    rank.box_rank(block, rows, cols, share, 3, 32, b)
    np.testing.assert_array_equal(a, b)
    tile = set_rank.tile_of(rows, cols)
    assert all(tile)
    for high, wide in (tile, (7, 5)):
        set_rank.set_rank(block, rows, cols, share, 3, high, wide, c)
        np.testing.assert_array_equal(a, c)


@pytest.mark.parametrize(("rows", "cols"), [(1, 1), (19, 19), (1, 60), (30, 5), (50, 50), (3, 600)])
def test_tiles_of_a_quantile_hold_no_more_cells_than_there_are_parts(rows, cols):
    high, wide = set_rank.tile_of(rows, cols)
    assert (high + 2 * rows) * (wide + 2 * cols) <= set_rank.CELLS or high == wide == 0


@pytest.mark.parametrize("shape", ["square", "circle"])
def test_local_z_measures_the_centre_in_local_deviations(shape):
    layer = naive.field((20, 20), 0.05, offset=300.0)
    got = naive.apply(local_z, layer, SQUARE, 8, radius=30.0, shape=shape)
    inside = np.ones((7, 7), bool) if shape == "square" else circle(SQUARE, 30.0)
    mean = naive.focal(layer, 3, 3, np.mean, 0.25, inside)
    std = naive.focal(layer, 3, 3, np.std, 0.25, inside)
    np.testing.assert_allclose(got, (layer - mean) / std, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("shape", ["square", "circle"])
def test_a_count_has_no_gaps(shape):
    layer = naive.field((20, 25), 0.4)
    inside = np.ones((7, 7), bool) if shape == "square" else circle(SQUARE, 30.0)
    got = naive.apply(valid_count, layer, SQUARE, 8, radius=30.0, shape=shape)
    want = np.isfinite(naive.windows(layer, 3, 3, inside)).sum(axis=-1)
    np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("shape", ["square", "circle"])
@pytest.mark.parametrize("highest", [3, 9, 10**6])
def test_classes_are_counted(shape, highest):
    rng = np.random.default_rng(0)
    codes = rng.integers(-1, 4, (20, 25)).astype(np.int32)
    codes[codes == 3] = highest
    layer = np.where(codes < 0, np.nan, codes)
    inside = np.ones((5, 5), bool) if shape == "square" else circle(SQUARE, 20.0)

    def entropy(values):
        share = np.unique(values, return_counts=True)[1] / values.size
        return -np.sum(share * np.log(share))

    def commonest(values):
        found, many = np.unique(values, return_counts=True)
        return found[many.argmax()]

    for operation, measure in ((class_entropy, entropy), (class_majority, commonest)):
        got = naive.apply(operation, codes, SQUARE, 8, radius=20.0, min_valid=0.4, shape=shape)
        want = naive.focal(layer, 2, 2, measure, 0.4, inside)
        np.testing.assert_allclose(got, want, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("gaps", [0.0, 0.02, 0.6])
@pytest.mark.parametrize("cell", [SQUARE, OBLONG])
def test_gaussian_weighs_by_distance(cell, gaps):
    for shape in [(20, 25), (1, 30), (30, 1)]:
        layer = naive.field(shape, gaps, offset=50)
        got = naive.apply(gaussian, layer, cell, 8, sigma=17.0, min_valid=0.1)
        rows, cols = cell.halo(68.0)
        y, x = np.mgrid[-rows : rows + 1, -cols : cols + 1]
        bell = np.exp(-((y * cell.dy) ** 2 + (x * cell.dx) ** 2) / (2 * 17.0**2)).ravel()
        seen = naive.windows(layer, rows, cols)
        weight = np.where(np.isfinite(seen), bell, 0.0)
        want = np.nansum(seen * bell, axis=-1) / np.maximum(weight.sum(axis=-1), 1e-300)
        want[~np.isfinite(layer) | (weight.sum(axis=-1) < 0.1 * bell.sum())] = np.nan
        np.testing.assert_allclose(got, want, rtol=1e-6)


def test_a_huge_offset_costs_a_gaussian_nothing():
    layer = naive.field((40, 30), 0.05, offset=2**20)
    got = naive.apply(gaussian, layer, SQUARE, 16, sigma=30.0)
    without = naive.apply(gaussian, layer - np.float32(2**20), SQUARE, 16, sigma=30.0)
    # Half a step of float32 at 2^20 is 1/16.
    np.testing.assert_allclose(got - 2**20, without, atol=0.0626)
    band = {"fine": 10.0, "coarse": 30.0}
    got = naive.apply(difference_of_gaussians, layer, SQUARE, 16, **band)
    without = naive.apply(difference_of_gaussians, layer - np.float32(2**20), SQUARE, 16, **band)
    np.testing.assert_allclose(got, without, atol=0.1251)


def test_a_gaussian_of_small_values_beside_large_ones_is_as_good():
    layer = np.exp(3 * naive.field((40, 40), 0.05)).astype(np.float32)
    got = naive.apply(gaussian, layer, SQUARE, 16, sigma=10.0)
    weights = np.exp(-0.5 * np.arange(-4, 5) ** 2.0)
    bell = np.outer(weights, weights).ravel()
    seen = naive.windows(layer, 4, 4)
    want = np.nansum(seen * bell, axis=-1) / np.where(np.isfinite(seen), bell, 0).sum(axis=-1)
    known = np.isfinite(got)
    np.testing.assert_allclose(got[known], want[known], rtol=1e-6)


def test_a_gaussian_of_a_constant_is_it():
    for value in (0.1, -3.3e7, 1e-20):
        layer = np.full((20, 20), value, np.float32)
        layer[3:9, 5] = np.nan
        got = naive.apply(gaussian, layer, SQUARE, 8, sigma=30.0, min_valid=0.0)
        np.testing.assert_array_equal(got, layer)


def test_difference_of_gaussians_is_one():
    layer = naive.field((20, 20), 0.02)
    got = naive.apply(difference_of_gaussians, layer, SQUARE, fine=10.0, coarse=30.0)
    fine = naive.apply(gaussian, layer, SQUARE, sigma=10.0)
    coarse = naive.apply(gaussian, layer, SQUARE, sigma=30.0)
    np.testing.assert_array_equal(got, fine - coarse)


def test_statistics_together_are_the_single_ones():
    layer = naive.field((20, 20), 0.05)
    names = ["range", "std", "min", "z", "mean", "max"]
    single = [focal_range, focal_std, focal_min, local_z, focal_mean, focal_max]
    for some in (names, names[:1], names[1:3]):
        got = naive.apply(focal_statistics, layer, SQUARE, 8, radius=20.0, outputs=some)
        for plane, name in zip(got, some, strict=True):
            alone = naive.apply(single[names.index(name)], layer, SQUARE, 8, radius=20.0)
            np.testing.assert_array_equal(plane, alone)


@pytest.mark.parametrize("shape", ["square", "circle"])
@pytest.mark.parametrize(("operation", "measure"), [(focal_mean, np.mean), (focal_std, np.std)])
def test_a_huge_offset_costs_no_more_than_float32_does(operation, measure, shape):
    layer = naive.field((30, 30), 0.02, offset=1e6)
    inside = np.ones((9, 9), bool) if shape == "square" else circle(SQUARE, 40.0)
    got = naive.apply(operation, layer, SQUARE, 8, radius=40.0, shape=shape)
    want = naive.focal(layer, 4, 4, measure, 0.25, inside)
    # The mean is good to half a step of float32 at 1e6; the spread has no offset left.
    np.testing.assert_allclose(got, want, rtol=1e-7 if measure is np.mean else 1e-6)


@pytest.mark.parametrize("shape", ["square", "circle"])
def test_a_constant_has_its_own_mean_and_no_spread(shape):
    for value in (0.1, -3.3e7, 1e-20):
        layer = np.full((20, 20), value, np.float32)
        more = {"radius": 50.0, "min_valid": 0.0, "shape": shape}
        np.testing.assert_array_equal(naive.apply(focal_mean, layer, SQUARE, 8, **more), layer)
        for operation in (focal_std, local_z, focal_range):
            np.testing.assert_array_equal(naive.apply(operation, layer, SQUARE, 8, **more), 0)


def test_a_gap_stays_a_gap_and_infinity_is_one():
    layer = np.ones((9, 9), np.float32)
    layer[4, 4], layer[4, 5] = np.nan, np.inf
    for operation in (focal_mean, focal_max, focal_median):
        got = naive.apply(operation, layer, SQUARE, radius=10.0, min_valid=0.0)
        assert np.isnan(got[4, 4])
        assert np.isnan(got[4, 5])
        assert np.nansum(got) == 79


def test_no_negative_zero_tells_which_came_first():
    layer = np.array([[0.0, -0.0, 0.0, -0.0]], np.float32)
    for operation in (focal_min, focal_max, focal_median):
        got = naive.apply(operation, layer, SQUARE, radius=10.0, min_valid=0.0)
        assert not np.signbit(got).any()


@settings(max_examples=60, deadline=None)
@given(
    shape=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    tile=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    radius=st.sampled_from([5.0, 20.0, 90.0]),
    gaps=st.sampled_from([0.0, 0.1, 0.6]),
    offset=st.sampled_from([0.0, 1e4]),
    window=st.sampled_from(["square", "circle"]),
    which=st.sampled_from([*MEASURES, (local_z, None, {})]),
)
def test_a_tile_equals_the_whole_to_the_bit(shape, tile, radius, gaps, offset, window, which):
    layer = naive.field(shape, gaps, offset)
    operation, _, more = which
    more = {**more, "radius": radius, "min_valid": 0.2, "shape": window}
    whole = naive.apply(operation, layer, SQUARE, 8, **more)
    tiled = naive.apply(operation, layer, SQUARE, 8, tile, **more)
    np.testing.assert_array_equal(whole.view(np.uint32), tiled.view(np.uint32))


@settings(max_examples=10, deadline=None)
@given(
    shape=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    tile=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    gaps=st.sampled_from([0.0, 0.3]),
)
def test_bells_and_classes_too(shape, tile, gaps):
    layer = naive.field(shape, gaps, 10.0)
    codes = np.nan_to_num(np.round(layer), nan=-1).astype(np.int32)
    for operation, values, more in (
        (gaussian, layer, {"sigma": 15.0}),
        (difference_of_gaussians, layer, {"fine": 8.0, "coarse": 20.0}),
        (class_entropy, codes, {"radius": 30.0}),
        (class_majority, codes, {"radius": 30.0}),
    ):
        whole = naive.apply(operation, values, SQUARE, 8, **more)
        tiled = naive.apply(operation, values, SQUARE, 8, tile, **more)
        np.testing.assert_array_equal(whole.view(np.uint32), tiled.view(np.uint32))


def test_wide_rows_are_carried_in_chunks():
    layer = naive.field((3, 2500), 0.02)
    got = naive.apply(focal_mean, layer, SQUARE, radius=20, min_valid=0)
    np.testing.assert_allclose(got, naive.focal(layer, 2, 2, np.mean, 0), rtol=2e-6, atol=1e-6)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 99), share=st.floats(0, 1))
def test_more_gaps_never_make_more_valid_cells(seed, share):
    full = naive.field((12, 12), 0.1, seed=seed)
    holed = np.where(naive.field((12, 12), 0.4, seed=seed + 1) < np.inf, full, np.nan)
    holed = holed.astype(np.float32)
    a = naive.apply(focal_mean, full, SQUARE, 8, radius=20, min_valid=share)
    b = naive.apply(focal_mean, holed, SQUARE, 8, radius=20, min_valid=share)
    assert not (np.isfinite(b) & ~np.isfinite(a)).any()


def test_what_it_refuses():
    layer = naive.field((5, 5))
    with pytest.raises(RecipeError, match="'radius' is a length in metres above 0"):
        naive.apply(focal_mean, layer, SQUARE, radius=0.0)
    for operation in (focal_mean, focal_min, focal_median):
        with pytest.raises(RecipeError, match="'min_valid' is a share from 0 to 1"):
            naive.apply(operation, layer, SQUARE, radius=10.0, min_valid=50.0)
    for operation in (focal_mean, focal_min, focal_median):
        with pytest.raises(RecipeError, match="'shape' is 'square' or 'circle'"):
            naive.apply(operation, layer, SQUARE, radius=10.0, shape="hexagon")
    with pytest.raises(RecipeError, match="'percentile' runs from 0 to 100"):
        naive.apply(focal_percentile, layer, SQUARE, radius=10.0, percentile=101.0)
    with pytest.raises(RecipeError, match="'fine' must be less than 'coarse'"):
        naive.apply(difference_of_gaussians, layer, SQUARE, fine=10.0, coarse=10.0)
    with pytest.raises(RecipeError, match="'outputs' names some of mean"):
        naive.apply(focal_statistics, layer, SQUARE, radius=10.0, outputs=["mode"])


BOUNDS = """
import numpy as np
from prospect._kernels import set_rank
block = np.full((400, 300), np.nan, np.float32)
block[:30, :40] = np.arange(1200, dtype=np.float32).reshape(30, 40)
for reach in (2, 5, 9):
    out = np.empty((400 - 2 * reach, 300 - 2 * reach), np.float32)
    tile = set_rank.tile_of(reach, reach)
    set_rank.set_rank(block, reach, reach, 0.5, 1, *tile, out)
    assert np.isnan(out[100:]).all() and np.isfinite(out[:10, :10]).all()
"""


@pytest.mark.slow
def test_windows_without_values_read_nothing_beyond_their_arrays(tmp_path):
    # Compiled anew with every index checked.
    settings = {**os.environ, "NUMBA_BOUNDSCHECK": "1", "NUMBA_CACHE_DIR": str(tmp_path)}
    subprocess.run([sys.executable, "-c", BOUNDS], check=True, env=settings)
