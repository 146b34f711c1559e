"""Points to grids, against plain loops and closed forms."""

import numpy as np
import pytest
from affine import Affine

from prospect.errors import LayerError
from prospect.grid import Grid
from prospect.gridding import Variogram, fit_variogram, grid_points, leave_one_out

GRID = Grid("EPSG:32642", Affine(250, 0, 600_000, 0, -250, 4_400_000), (30, 40))


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def points(rng):
    x = 600_000 + 10_000 * rng.random(120)
    y = 4_400_000 - 7_500 * rng.random(120)
    return x, y, np.sin(x / 2000) + np.cos(y / 1500) + 0.1 * rng.normal(size=120)


def idw(x, y, value, at_x, at_y, radius, neighbours, power):
    distance = np.hypot(x - at_x, y - at_y)
    near = [i for i in np.argsort(distance)[:neighbours] if distance[i] < radius]
    if not near:
        return np.nan
    weight = distance[near] ** -power
    return (weight * value[near]).sum() / weight.sum()


def kriging(x, y, value, at_x, at_y, radius, neighbours, gamma):
    distance = np.hypot(x - at_x, y - at_y)
    near = [i for i in np.argsort(distance)[:neighbours] if distance[i] < radius]
    n = len(near)
    if n == 0:
        return np.nan, np.nan
    left, right = np.ones((n + 1, n + 1)), np.ones(n + 1)
    left[n, n] = 0
    for a, i in enumerate(near):
        right[a] = gamma(distance[i])
        for b, j in enumerate(near):
            left[a, b] = gamma(np.hypot(x[i] - x[j], y[i] - y[j]))
    solution = np.linalg.solve(left, right)
    return solution[:n] @ value[near], solution @ right


def test_inverse_distances_against_a_loop(points):
    got = grid_points(*points, GRID, radius=600, neighbours=5, power=1.5)["value"].values
    want = [[idw(*points, x, y, 600, 5, 1.5) for x in GRID.x] for y in GRID.y]
    assert np.isnan(want).any()
    np.testing.assert_allclose(got, want, rtol=1e-6)


def test_kriging_against_a_loop(points):
    gamma = Variogram(0.05, 1.2, 4000)
    got = grid_points(*points, GRID, method="kriging", radius=1200, neighbours=6, variogram=gamma)
    want = np.array([[kriging(*points, x, y, 1200, 6, gamma) for x in GRID.x] for y in GRID.y])
    np.testing.assert_allclose(got["value"], want[..., 0], rtol=2e-6, atol=1e-6)
    np.testing.assert_allclose(got["value_variance"], want[..., 1], rtol=2e-6, atol=1e-6)


def test_kriging_is_exact_at_points_and_surest_there():
    x, y = GRID.x[[3, 20, 35]], GRID.y[[4, 15, 25]]
    value = np.array([1.0, 5.0, -2.0])
    found = grid_points(
        x, y, value, GRID, method="kriging", radius=1e5, variogram=Variogram(0, 1, 3000), unit="m"
    )
    place = ([4, 15, 25], [3, 20, 35])
    np.testing.assert_allclose(found["value"].values[place], value, atol=1e-6)
    np.testing.assert_allclose(found["value_variance"].values[place], 0, atol=1e-6)
    assert found["value_variance"].values.max() > 1  # far away, the mean itself is unsure
    assert found["value"].attrs["units"] == "m"
    assert found["value_variance"].attrs["units"] == "(m)^2"


def test_a_constant_is_gridded_as_itself(points):
    x, y, _ = points
    for method in ("idw", "kriging"):
        found = grid_points(
            x, y, np.full(x.size, 7.5), GRID, method=method, variogram=Variogram(0.1, 1, 2000)
        )["value"].values
        np.testing.assert_allclose(found[np.isfinite(found)], 7.5, rtol=1e-6)


def test_gaps_and_places_given_twice(points):
    x, y, value = points
    once = grid_points(x, y, value, GRID)["value"]
    twice = grid_points(
        np.concatenate([x, x, [np.nan, x[0]]]),
        np.concatenate([y, y, [y[0], y[0]]]),
        np.concatenate([value - 1, value + 1, [3.0, np.nan]]),
        GRID,
    )["value"]
    np.testing.assert_allclose(once, twice, rtol=1e-5)


def test_the_variogram_of_a_known_field(rng):
    # A moving average of noise over a disc has a correlation that ends at its diameter.
    side, radius = 400, 20
    noise = rng.normal(size=(side, side))
    rows, cols = np.ogrid[-side // 2 : side // 2, -side // 2 : side // 2]
    disc = np.fft.rfft2(np.fft.ifftshift((rows**2 + cols**2 <= radius**2).astype(float)))
    field = np.fft.irfft2(np.fft.rfft2(noise) * disc, s=noise.shape)
    field = field / field.std() + 0.3 * rng.normal(size=field.shape)
    at = rng.integers(0, side, (1500, 2))
    found = fit_variogram(
        100.0 * at[:, 1], 100.0 * at[:, 0], field[at[:, 0], at[:, 1]], reach=10_000
    )
    assert found.range == pytest.approx(2 * radius * 100, rel=0.25)
    assert found.nugget == pytest.approx(0.09, abs=0.08)
    assert found.sill == pytest.approx(1.09, rel=0.25)


def test_what_others_say_of_each_point(points):
    table = leave_one_out(*points, method="kriging", radius=1e5)
    assert table.shape == (120, 3)
    error = np.sqrt(np.mean((table[:, 0] - table[:, 1]) ** 2))
    assert error < 0.6 * points[2].std()
    # No point speaks for itself.
    alone = leave_one_out(np.array([0.0, 9e5]), np.zeros(2), np.array([1.0, 2.0]), radius=100)
    assert alone.shape == (0, 2)


def test_what_cannot_be_gridded(points):
    x, y, value = points
    with pytest.raises(LayerError, match="'idw' or 'kriging', not 'spline'"):
        grid_points(x, y, value, GRID, method="spline")
    with pytest.raises(LayerError, match="nothing can be gridded"):
        grid_points(x, y, np.full(x.size, np.nan), GRID)
    with pytest.raises(LayerError, match="do not make a variogram"):
        fit_variogram(x, y, np.ones(x.size))
    with pytest.raises(LayerError, match="arrays of one length"):
        grid_points(x[:3], y, value, GRID)


def test_clusters_do_not_make_the_ground_between_them_a_gap(rng):
    # Ten tight clusters on a regular spread: neighbours are near, the ground is covered.
    x = np.concatenate([600_125 + 1_000 * np.arange(10), 600_130 + 1_000 * np.arange(10)])
    y = np.full(20, 4_396_000.0)
    lone = np.array([604_000.0, 607_000.0]), np.array([4_393_500.0, 4_398_500.0])
    x, y = np.append(x, lone[0]), np.append(y, lone[1])
    found = grid_points(x, y, x - 600_000, GRID)["value"].values
    assert np.isfinite(found).all()


def test_a_scaled_variogram_scales_the_variance_alone(points):
    gamma = Variogram(0.1, 1.0, 3000)
    one, two = (
        grid_points(*points, GRID, method="kriging", variogram=g) for g in (gamma, gamma.scaled(9))
    )
    np.testing.assert_allclose(two["value"], one["value"], rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(two["value_variance"], 9 * one["value_variance"], rtol=1e-5)


def test_the_variance_of_a_point_told_from_others_is_that_of_its_place(points):
    x, y, value = points
    gamma = Variogram(0.05, 1.2, 4000)
    table = leave_one_out(*points, method="kriging", radius=1e5, neighbours=6, variogram=gamma)
    order = np.lexsort((y, x))  # points come sorted by place
    for row, i in enumerate(order[:5]):
        others = np.arange(x.size) != i
        want = kriging(x[others], y[others], value[others], x[i], y[i], 1e5, 6, gamma)
        np.testing.assert_allclose(table[row], [value[i], *want], rtol=1e-9)


def test_kriging_agrees_with_pykrige(points):
    """Of one variogram, from all points."""
    pykrige = pytest.importorskip("pykrige.ok", reason="pykrige is not installed")
    x, y, value = points = [axis[:40] for axis in points]
    gamma = Variogram(0.1, 1.3, 4_000.0)
    theirs = pykrige.OrdinaryKriging(
        x,
        y,
        value,
        variogram_model="spherical",
        variogram_parameters={"sill": gamma.sill, "range": gamma.range, "nugget": gamma.nugget},
    )
    told, variance = theirs.execute("grid", GRID.x, GRID.y)
    ours = grid_points(*points, GRID, method="kriging", variogram=gamma, neighbours=len(x),
                       radius=1e6)  # fmt: skip
    np.testing.assert_allclose(ours["value"], told, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(ours["value_variance"], variance, rtol=1e-4)
