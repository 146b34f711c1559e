"""Operations on gridded fields: oracles, known bodies, gaps, tiles and refusals."""

import naive
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prospect.errors import GridError, RecipeError
from prospect.features import (
    FeatureBuilder,
    derivative_easting,
    derivative_northing,
    derivative_upward,
    get_operation,
    horizontal_gradient,
    horizontal_tilt_angle,
    reduction_to_pole,
    residual,
    theta_map,
    tilt_angle,
    total_gradient_amplitude,
    upward_continuation,
)
from prospect.grid import Cell, Window


@pytest.mark.parametrize("gaps", [0.0, 0.02, 0.6])
@pytest.mark.parametrize("cell", [(100.0, 100.0), (250.0, 80.0)])
def test_horizontal_gradient_against_its_oracle(make_stack, field, gaps, cell):
    values = field(gaps=gaps)
    result = horizontal_gradient(make_stack(cell=cell, a=values)["a"]).values
    np.testing.assert_allclose(result, naive.horizontal_gradient(values, *cell), rtol=1e-5)


def test_horizontal_gradient_of_a_plane_is_its_slope(make_stack):
    row, col = np.mgrid[:20, :30]
    plane = (3 * 250.0 * col - 4 * 80.0 * row).astype(np.float32)
    result = horizontal_gradient(make_stack(cell=(80.0, 250.0), a=plane)["a"])
    np.testing.assert_allclose(result.values[1:-1, 1:-1], 5, rtol=1e-5)
    assert np.isnan(result.values[0]).all()
    assert result.attrs["units"] == "/m"


def test_horizontal_gradient_needs_metres(make_stack, field):
    stack = make_stack(cell=(0.001, 0.001), crs="EPSG:4326", a=field())
    stack = stack.assign_coords(x=stack.x - 600_000 + 70, y=stack.y - 4_400_000 + 40)
    with pytest.raises(GridError, match="measures in degrees: give a projected one"):
        horizontal_gradient(stack["a"])


@pytest.mark.parametrize("shape", [(1, 9), (9, 1), (2, 2)])
def test_a_sliver_has_no_gradient(make_stack, field, shape):
    result = horizontal_gradient(make_stack(a=field(shape, gaps=0))["a"])
    assert result.shape == shape
    assert np.isnan(result.values).all()


CELLS = [Cell(100.0, 100.0), Cell(120.0, 75.0)]
SPECTRAL = [
    (derivative_upward, {}),
    (total_gradient_amplitude, {}),
    (tilt_angle, {}),
    (horizontal_tilt_angle, {}),
    (theta_map, {}),
    (upward_continuation, {"height": 500.0}),
    (residual, {"height": 500.0}),
    (upward_continuation, {"height": 5000.0}),
    (reduction_to_pole, {"inclination": 58.0, "declination": 4.0}),
]

GRADIENTS = (
    derivative_upward,
    total_gradient_amplitude,
    tilt_angle,
    horizontal_tilt_angle,
    theta_map,
    derivative_easting,
    derivative_northing,
    horizontal_gradient,
)


def about(shape, cell):
    """Metres east and north of the middle of an array."""
    north = -(np.arange(shape[0]) - shape[0] // 2) * cell.dy
    east = (np.arange(shape[1]) - shape[1] // 2) * cell.dx
    return np.meshgrid(east, north)


@pytest.fixture(scope="module")
def fractal():
    return naive.fractal(1536, 3)


def in_the_middle(operation, field, cell, **options):
    """An operation on four blocks in the middle of a field, with its halo."""
    start = field.shape[0] // 2 - 256
    rows, cols = operation.halo(cell, {**naive.defaults(operation), **options})
    near = field[start - rows : start + 512 + rows, start - cols : start + 512 + cols]
    out = np.empty((512, 512), np.float32)
    operation.compute(near.astype(np.float32), out=out, cell=cell, **options)
    return out, (slice(start, start + 512), slice(start, start + 512))


@pytest.mark.parametrize(
    ("operation", "options", "factors", "error"),
    [
        (derivative_upward, {}, lambda e, n: -np.hypot(e, n), 0.025),
        (upward_continuation, {"height": 500.0}, lambda e, n: np.exp(-500 * np.hypot(e, n)), 0.025),
        (
            upward_continuation,
            {"height": 2000.0},
            lambda e, n: np.exp(-2000 * np.hypot(e, n)),
            0.1,
        ),
        (
            upward_continuation,
            {"height": 5000.0},
            lambda e, n: np.exp(-5000 * np.hypot(e, n)),
            0.22,
        ),
        (residual, {"height": 500.0}, lambda e, n: 1 - np.exp(-500 * np.hypot(e, n)), 0.08),
        (residual, {"height": 2000.0}, lambda e, n: 1 - np.exp(-2000 * np.hypot(e, n)), 0.16),
    ],
)
def test_windows_differ_from_the_whole_transform_by_what_is_stated(
    fractal, operation, options, factors, error
):
    cell = CELLS[0]
    got, place = in_the_middle(operation, fractal, cell, **options)
    want = naive.wavenumbers(fractal, *cell, factors)[place]
    assert (got - want).std() < error * want.std()


def test_a_prism_is_continued_and_differentiated():
    cell = CELLS[0]
    east, north = about((1024, 1024), cell)
    body = {"half_east": 2000.0, "half_north": 3000.0}
    field = naive.prism(east, north, 500.0, **body)
    slope = (naive.prism(east, north, 501.0, **body) - naive.prism(east, north, 499.0, **body)) / 2
    got, place = in_the_middle(derivative_upward, field, cell)
    wrong = got - slope[place]
    assert wrong.std() < 0.035 * slope[place].std()
    assert abs(wrong).max() < 0.01 * abs(slope).max()
    assert got[256, 256] < 0
    for height, error in ((500.0, 0.015), (3000.0, 0.06)):
        higher = naive.prism(east, north, 500.0 + height, **body)[place]
        got, _ = in_the_middle(upward_continuation, field, cell, height=height)
        assert (got - higher).std() < error * higher.std()
        left, _ = in_the_middle(residual, field, cell, height=height)
        np.testing.assert_allclose(left, field[place] - got, atol=1e-5)


def test_edges_of_a_dyke_lie_at_tilt_zero_and_at_the_gradients_ridge():
    cell = CELLS[0]
    east, north = about((300, 300), cell)
    # 6 km wide and 400 m deep: each edge hardly knows of the other.
    field = naive.prism(east, north, 400.0, 3000.0, 1e6).astype(np.float32)
    tilt = naive.apply(tilt_angle, field, cell)[150]
    crossings = east[150, :-1][np.diff(np.sign(tilt)) != 0]
    edges = crossings[abs(crossings) < 5000]
    np.testing.assert_allclose(edges, [-3000, 3000], atol=100)
    assert tilt[150] > 60
    theta = naive.apply(theta_map, field, cell)[150]
    ridge = naive.apply(horizontal_gradient, field, cell)[150]
    for profile in (np.nan_to_num(theta[100:151]), np.nan_to_num(ridge[100:151])):
        assert abs(east[150, 100:151][profile.argmax()] + 3000) <= 100
    assert np.nanmax(theta) > 0.98
    upright = naive.apply(horizontal_tilt_angle, field, cell)[150]
    assert abs(east[150, 100:151][np.nan_to_num(upright[100:151]).argmax()] + 3000) <= 100
    np.testing.assert_allclose(np.sin(np.radians(upright)), theta, atol=1e-5)
    amplitude = np.nan_to_num(naive.apply(total_gradient_amplitude, field, cell)[150])
    assert abs(abs(east[150, amplitude.argmax()]) - 3000) <= 100


@pytest.mark.parametrize("cell", CELLS)
def test_a_point_source_is_continued(cell):
    east, north = about((400, 400), cell)
    got = {}
    for depth in (1000.0, 1500.0):
        got[depth] = depth / (east**2 + north**2 + depth**2) ** 1.5
    field = (got[1000.0] / got[1000.0].max()).astype(np.float32)
    want = got[1500.0] / got[1000.0].max()
    up = naive.apply(upward_continuation, field, cell, height=500.0)
    # The rim of the map is a guess.
    np.testing.assert_allclose(up, want, atol=0.02 * want.max())
    inner = (slice(64, -64), slice(64, -64))
    np.testing.assert_allclose(up[inner], want[inner], atol=0.008 * want.max())


def test_high_up_coarser_cells_do_the_same(monkeypatch):
    from prospect.features import field_transforms

    layer = naive.fractal(700, 3)[:300, :290].astype(np.float32)
    layer[np.random.default_rng(0).random(layer.shape) < 0.02] = np.nan
    cell, options = CELLS[1], {"height": 9000.0}
    assert field_transforms.coarseness(cell, 9000.0) == 4
    coarse = naive.apply(upward_continuation, layer, cell, **options)
    monkeypatch.setattr(field_transforms, "COARSE", 1e9)
    fine = naive.apply(upward_continuation, layer, cell, **options)
    np.testing.assert_array_equal(np.isnan(coarse), np.isnan(layer))
    assert np.nanstd(coarse - fine) < 0.01 * np.nanstd(fine)


@pytest.mark.parametrize(("inclination", "declination"), [(90, 0), (60, 5), (-45, -20), (30, 90)])
@pytest.mark.parametrize("cell", CELLS)
def test_a_dipole_is_centred_by_reduction_to_the_pole(cell, inclination, declination):
    east, north = about((256, 256), cell)
    field = naive.dipole(east, north, 1000.0, inclination, declination).astype(np.float32)
    options = {"inclination": float(inclination), "declination": float(declination)}
    got = naive.apply(reduction_to_pole, field, cell, **options)
    want = naive.dipole(east, north, 1000.0, 90, 0)
    assert np.unravel_index(got.argmax(), got.shape) == (128, 128)
    np.testing.assert_allclose(got, want, atol=0.05)
    assert np.unravel_index(field.argmax(), got.shape) != (128, 128) or inclination == 90


def test_low_latitudes_need_a_guard():
    cell = CELLS[0]
    east, north = about((256, 256), cell)
    noise = 0.01 * np.random.default_rng(0).normal(size=east.shape)
    field = (naive.dipole(east, north, 1000.0, 8, 10) + noise).astype(np.float32)
    options = {"inclination": 8.0, "declination": 10.0}
    with pytest.raises(RecipeError, match="unstable at an inclination of 8 degrees: give ampl"):
        naive.apply(reduction_to_pole, field, cell, **options)
    got = naive.apply(reduction_to_pole, field, cell, amplitude_inclination=20.0, **options)
    peak = np.unravel_index(got.argmax(), got.shape)
    assert max(abs(peak[0] - 128), abs(peak[1] - 128)) <= 2
    assert abs(got).max() < 2


@pytest.mark.parametrize("cell", CELLS)
def test_derivatives_of_a_plane(cell):
    east, north = about((30, 40), cell)
    plane = (3 * east - 4 * north + 1e4).astype(np.float32)
    inside = (slice(1, -1), slice(1, -1))
    np.testing.assert_allclose(naive.apply(derivative_easting, plane, cell)[inside], 3, rtol=1e-4)
    np.testing.assert_allclose(naive.apply(derivative_northing, plane, cell)[inside], -4, rtol=1e-4)
    up = naive.apply(upward_continuation, plane, cell, height=1000.0)
    np.testing.assert_allclose(up, plane, rtol=1e-4, atol=0.5)
    assert abs(naive.apply(derivative_upward, plane, cell)).max() < 0.01
    row = naive.apply(derivative_easting, plane, cell)
    assert np.isnan(row[:, [0, -1]]).all() and not np.isnan(row[0, 1:-1]).any()


@pytest.mark.parametrize("gaps", [0.0, 0.02, 0.6])
@pytest.mark.parametrize(("operation", "options"), SPECTRAL)
def test_gaps_stay_and_hardly_spoil_the_rest(operation, options, gaps):
    cell = CELLS[1]
    east, north = about((90, 110), cell)
    whole = naive.prism(east, north, 1000.0, 2000.0, 1500.0).astype(np.float32)
    holed = whole.copy()
    holed[np.random.default_rng(0).random(whole.shape) < gaps] = np.nan
    got = naive.apply(operation, holed, cell, reach=2000.0, **options)
    want = naive.apply(operation, whole, cell, reach=2000.0, **options)
    assert np.isnan(got[np.isnan(holed)]).all()
    valid = ~np.isnan(got)
    if operation in (upward_continuation, residual, reduction_to_pole, derivative_upward):
        assert (valid == ~np.isnan(holed)).all()
        error = np.nanstd((got - want)[valid])
        assert error <= (0.15 if gaps < 0.1 else 0.7) * np.nanstd(want)
    np.testing.assert_array_equal(np.isinf(got), False)


@pytest.mark.parametrize("shape", [(1, 40), (40, 1), (1, 1), (2, 3)])
@pytest.mark.parametrize(("operation", "options"), SPECTRAL)
def test_slivers_are_filtered_without_fuss(operation, options, shape):
    layer = naive.field(shape, 0.1)
    got = naive.apply(operation, layer, CELLS[0], 16, reach=800.0, **options)
    assert got.shape == shape
    assert not np.isinf(got).any()
    assert np.isnan(naive.apply(operation, layer * np.nan, CELLS[0], 16, **options)).all()


@settings(max_examples=8, deadline=None)
@given(
    shape=st.tuples(st.integers(1, 50), st.integers(1, 50)),
    tile=st.tuples(st.integers(1, 2), st.integers(1, 2)),
    cell=st.sampled_from(CELLS),
    gaps=st.sampled_from([0.0, 0.02, 0.6]),
    seed=st.integers(0, 99),
)
def test_a_tile_equals_the_whole_to_the_bit(shape, tile, cell, gaps, seed):
    layer = naive.field(shape, gaps, offset=5e4, seed=seed)
    for operation, options in SPECTRAL:
        whole = naive.apply(operation, layer, cell, 16, reach=1000.0, **options)
        tiled = naive.apply(operation, layer, cell, 16, tile, reach=1000.0, **options)
        np.testing.assert_array_equal(whole.view(np.uint32), tiled.view(np.uint32))


def test_a_builder_gives_any_window_as_the_whole(make_stack):
    stack = make_stack(a=naive.fractal(320, 3)[:, :290].astype(np.float32))
    rows = [
        {"name": "rtp", "operation": "reduction_to_pole", "of": "a"}
        | {"inclination": 60, "declination": 5},
        {"name": "tilt", "operation": "tilt_angle", "of": "rtp"},
        {"name": "edge", "operation": "derivative_easting", "of": "rtp"},
    ]
    built = FeatureBuilder(rows).fit(stack)
    whole = built.transform(stack)
    part = built.transform(stack, Window(230, 100, 60, 190))
    np.testing.assert_array_equal(part.values, whole.values[:, 230:290, 100:290])
    direct = tilt_angle(whole.sel(feature="rtp"))
    np.testing.assert_array_equal(direct.values, whole.sel(feature="tilt").values)
    assert list(whole["units"].values[1:]) == ["degree", "/m"]


def test_what_the_spectral_ones_refuse():
    layer = naive.field((5, 5))
    with pytest.raises(RecipeError, match="'height' is a length"):
        naive.apply(upward_continuation, layer, CELLS[0], height=0.0)
    with pytest.raises(RecipeError, match="'reach' is a length in metres, 0 for 64 cells; -5"):
        naive.apply(tilt_angle, layer, CELLS[0], reach=-5.0)
    with pytest.raises(RecipeError, match="reaches 1024 cells at most"):
        naive.apply(residual, layer, CELLS[0], height=60_000.0, reach=2e5)
    with pytest.raises(RecipeError, match="Inclinations are degrees"):
        naive.apply(reduction_to_pole, layer, CELLS[0], inclination=95.0, declination=0.0)
    with pytest.raises(RecipeError, match="no parameter 'height'"):
        tilt_angle.check({"height": 3.0})


def test_rows_of_one_field_share_their_gradients(make_stack):
    layer = naive.fractal(330, 3)[:, :300].astype(np.float32)
    layer[np.random.default_rng(0).random(layer.shape) < 0.02] = np.nan
    stack = make_stack(cell=(100.0, 100.0), a=layer)
    operations = [*GRADIENTS, tilt_angle]
    rows = [
        {"name": f"{k} {operation.name}", "operation": operation.name, "of": "a"}
        for k, operation in enumerate(operations)
    ]
    built = FeatureBuilder([*rows, rows[0] | {"name": "far", "reach": 3000}]).fit(stack)
    assert [len(call.steps) for call in built.plan().calls] == [len(operations), 1]
    together = built.transform(stack)
    for operation, values in zip(operations, together.values, strict=False):
        np.testing.assert_array_equal(values, operation(stack["a"]).values)


def test_only_level_gradients_need_no_windows(make_stack, field):
    stack = make_stack(cell=(100.0, 100.0), a=field(gaps=0.1))
    names = ("derivative_easting", "derivative_northing", "horizontal_gradient")
    rows = [{"name": name, "operation": name, "of": "a"} for name in names]
    built = FeatureBuilder(rows).fit(stack)
    assert len(built.plan().calls) == 1
    assert built.halo == (1, 1)
    together = built.fit_transform(stack)
    for name, values in zip(names, together.values, strict=True):
        np.testing.assert_array_equal(values, get_operation(name)(stack["a"]).values)


def test_flat_ground_has_no_tilt():
    flat = np.full((40, 40), 7.0, np.float32)
    for operation in (tilt_angle, horizontal_tilt_angle, theta_map):
        inner = naive.apply(operation, flat, CELLS[0])[1:-1, 1:-1]
        np.testing.assert_array_equal(inner, 0)
