"""Stream samples speak for the ground upstream of them, on relief whose drainage is known."""

import numpy as np
import pytest
from affine import Affine

from prospect.backgrounds import background
from prospect.catchments import Drainage, productivity
from prospect.errors import LayerError
from prospect.grid import Grid

pytest.importorskip("pyflwdir", reason="catchments need pyflwdir")

GRID = Grid("EPSG:32642", Affine(100, 0, 600_000, 0, -100, 4_400_000), (40, 31))


def valley(grid=GRID, fall=1.0, middle=None):
    """A valley that falls to the south, its floor in the middle column, its sides steep."""
    rows, cols = np.indices(grid.shape)
    middle = grid.cols // 2 if middle is None else middle
    return (1000 - fall * rows + 20.0 * np.abs(cols - middle)).astype(np.float32)


def downhill(elevation):
    """Each cell's lowest neighbour, itself where none is lower: plain loops, no depressions."""
    rows, cols = elevation.shape
    next_one = {}
    for r in range(rows):
        for c in range(cols):
            around = [
                (elevation[i, j], i, j)
                for i in range(max(r - 1, 0), min(r + 2, rows))
                for j in range(max(c - 1, 0), min(c + 2, cols))
            ]
            lowest = min(around)
            next_one[r, c] = lowest[1:] if lowest[0] < elevation[r, c] else (r, c)
    return next_one


def first_met(next_one, places):
    """The number of the first place that each cell's water comes by; -1 when none."""
    found = {}
    for cell in next_one:
        at = cell
        while at not in places and next_one[at] != at:
            at = next_one[at]
        found[cell] = places.get(at, -1)
    return found


@pytest.fixture(scope="module")
def drainage():
    return Drainage.of(valley(), GRID)


def at(rows, cols, grid=GRID):
    return grid.x[np.asarray(cols)], grid.y[np.asarray(rows)]


def test_the_owner_is_the_nearest_sample_downstream(drainage):
    rows, cols = [10, 30, 20], [15, 15, 15]
    found = drainage.catchments(*at(rows, cols))
    # Upstream places come first.
    assert found.row.tolist() == [10, 20, 30]
    assert found.place.tolist() == [0, 2, 1]
    assert found.below.tolist() == [1, 2, -1]
    places = {(row, 15): number for number, row in enumerate([10, 20, 30])}
    want = first_met(downhill(valley()), places)
    got = {cell: int(found.owner[cell]) for cell in want}
    assert got == want
    assert (found.owner == -1).any()  # the mouth of the valley flows to no sample
    own = [sum(owner == k for owner in want.values()) * 1e4 for k in range(3)]
    np.testing.assert_array_equal(found.own, own)
    np.testing.assert_array_equal(found.area, np.cumsum(own))


def test_samples_snap_to_the_drainage_and_not_beyond(drainage):
    x, y = at([20, 20, 20, 20], [15, 16, 25, 15])
    x[0] += 30
    found = drainage.catchments(np.append(x, np.nan), np.append(y, 0.0), snap=150)
    # The second lies a cell off the floor, the third ten: it has no stream.
    assert found.place.tolist() == [0, 0, -1, 0, -1]
    with pytest.raises(LayerError, match="None of 1 samples lies within 150 m of the drainage"):
        drainage.catchments(*at([20], [25]), snap=150)
    with pytest.raises(LayerError, match="positive numbers"):
        drainage.catchments(*at([20], [15]), snap=0)


def test_depressions_are_filled_and_gaps_let_water_out():
    elevation = valley()
    elevation[12, 15] = 0  # a pit on the floor: water passes it
    found = Drainage.of(elevation, GRID).catchments(*at([8, 20], [15, 15]))
    assert found.below.tolist() == [1, -1]
    elevation[14, :] = np.nan  # a gap across the valley: water does not
    found = Drainage.of(elevation, GRID).catchments(*at([8, 25], [15, 15]))
    assert found.below.tolist() == [-1, -1]
    assert (found.owner[14] == -1).all()
    assert found.owner[15:26, 15].tolist() == [found.place[1]] * 11


def test_catchments_that_reach_the_edge_are_known():
    # A bowl inside a plain that falls away: the bowl's spring lies far from the edge.
    rows, cols = np.indices((41, 41))
    grid = Grid("EPSG:32642", Affine(100, 0, 600_000, 0, -100, 4_400_000), (41, 41))
    ridge = 2000 - 10.0 * np.hypot(rows - 12, cols - 20)
    elevation = (ridge + np.minimum(np.abs(cols - 20) * 4.0, 12)).astype(np.float32)
    found = Drainage.of(elevation, grid).catchments(*at([30], [20], grid), stream=1e5)
    assert not found.at_edge.any()
    assert Drainage.of(valley(), GRID).catchments(*at([30], [15])).at_edge.all()


def test_shares_are_of_all_ground_upstream(drainage):
    found = drainage.catchments(*at([10, 30], [15, 15]))
    rock = np.full(GRID.shape, 3, np.int32)
    rock[:, :15] = 7
    rock[5] = -1
    codes, shares = found.shares(rock)
    assert codes == [3, 7]
    upstream = [found.owner == 0, found.owner >= 0]
    want = [[((rock == code) & here).sum() / ((rock >= 0) & here).sum() for code in codes]
            for here in upstream]  # fmt: skip
    np.testing.assert_allclose(shares, want)
    assert np.isnan(found.shares(np.where(found.owner == 0, -1, rock))[1][0]).all()


@pytest.fixture
def network():
    """Forty valleys side by side, sampled at three places each, and the rock of their ground."""
    grid = Grid("EPSG:32642", Affine(100, 0, 600_000, 0, -100, 4_400_000), (60, 320))
    rows, cols = np.indices(grid.shape)
    elevation = (1000.0 - rows + 20 * np.abs(cols % 8 - 4)).astype(np.float32)
    found = Drainage.of(elevation, grid).catchments(
        *at(np.tile([20, 38, 56], 40), np.repeat(np.arange(40) * 8 + 4, 3), grid), stream=1e5
    )
    rng = np.random.default_rng(5)
    rock = rng.integers(0, 3, (6, 40)).astype(np.int32).repeat(10, 0).repeat(8, 1)
    return grid, found, rock


def test_the_background_of_rocks_is_found_and_an_anomaly_stands_out(network):
    _, found, rock = network
    level = np.array([1.0, 5.0, 20.0])
    codes, shares = found.shares(rock)
    assert codes == [0, 1, 2]
    truth = shares @ level
    np.testing.assert_allclose(background(truth, shares), truth, rtol=1e-3)
    # A few samples a hundred times too rich do not move the rest.
    rich = truth.copy()
    rich[[3, 50, 80]] *= 100
    expected = background(rich, shares)
    np.testing.assert_allclose(np.delete(expected / truth, [3, 50, 80]), 1, atol=0.1)
    noisy = truth * np.exp(np.random.default_rng(0).normal(0, 0.2, truth.size))
    assert np.abs(np.log(background(noisy, shares) / truth)).mean() < 0.06
    # A rock in three thousandths of the ground has no background of its own.
    sliver = np.column_stack([shares * 0.997, np.full(len(shares), 0.003)])
    np.testing.assert_allclose(background(truth, sliver), truth, rtol=0.02)
    unmapped = np.where(np.arange(len(shares))[:, None] == 7, np.nan, shares)
    assert background(truth, unmapped)[7] == np.median(truth)


def test_dilution_is_undone_exactly(network):
    grid, found, rock = network
    level = np.array([1.0, 5.0, 20.0])
    ground = level[rock]
    ore = np.zeros(grid.shape)
    ore[5:8, 100:105] = 300.0
    count = np.bincount(found.owner[found.owner >= 0], minlength=found.row.size)

    def sediment(ground):
        total = np.bincount(
            found.owner[found.owner >= 0], ground[found.owner >= 0], minlength=count.size
        )
        return found.gathered(total) / found.gathered(count)

    measured, expected = sediment(ground + ore), sediment(ground)
    # Three samples down the stream are raised, less and less.
    raised = measured - expected
    assert (raised > 1e-9).sum() >= 3
    got = productivity(found, measured, expected)
    want = np.bincount(found.owner[found.owner >= 0], ore[found.owner >= 0], minlength=count.size)
    np.testing.assert_allclose(got, want * 0.01, atol=1e-9)  # cells of 0.01 km²
    assert (got > 1e-9).sum() < (raised > 1e-9).sum()


def test_little_ground_under_a_large_river_tells_nothing(drainage):
    found = drainage.catchments(*at([20, 36, 37], [15, 15, 15]))
    assert found.own[2] < 0.1 * found.area[2] < found.own[1]
    got = productivity(found, np.array([2.0, 2.0, 2.0]), np.ones(3))
    np.testing.assert_allclose(got[:2], found.own[:2] / 1e6)
    assert np.isnan(got[2])


def test_what_catchments_refuse(network):
    _, found, rock = network
    shares = found.shares(rock)[1]
    few = np.where(np.arange(len(shares)) < 2, 1.0, np.nan)
    with pytest.raises(LayerError, match="2 catchments with a value are too few"):
        background(few, shares)
    huge = np.broadcast_to(np.float32(0), (20_000, 20_000))
    with pytest.raises(LayerError, match="too much to trace at once"):
        Drainage.of(huge, GRID)


def test_values_are_laid_over_their_own_ground(drainage):
    found = drainage.catchments(*at([10, 30], [15, 15]))
    plane = found.spread(np.array([2.0, np.nan]))
    assert plane.dtype == np.float32
    np.testing.assert_array_equal(plane == 2, found.owner == 0)
    assert np.isnan(plane[found.owner != 0]).all()
