"""A landscape carved by its rivers: drainage, steady-state relief, valley fill."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy import sparse
from scipy.ndimage import distance_transform_edt, gaussian_filter, grey_erosion, label
from scipy.sparse.csgraph import breadth_first_order, minimum_spanning_tree
from scipy.sparse.linalg import splu

from prospect.synthetic.fields import Field, random_field
from prospect.synthetic.geology import Geology, strike_grain

CONCAVITY = 0.45
HILLSLOPE = 0.55
ROUNDS = 6
VALLEY_CATCHMENT = 40e6


@dataclass(frozen=True, eq=False)
class Relief:
    """Elevation in m, upstream area in m², distance to a main valley in m, and its gravel."""

    elevation: Field
    catchment: Field
    valley_distance: Field
    cover: NDArray[np.bool_]


class Drainage:
    """
    The tree by which every cell drains to the border.

    Edges between neighbours weigh as their higher end, so the minimum spanning tree holds
    the lowest way out of every hollow, which is what priority flooding finds [1]_; a small
    reward for steepness sends water down the steepest slope. On a tree ordered from its
    root upstream sums and downstream integrals are triangular systems without fill-in.

    References
    ----------
    .. [1] Barnes, Lehman and Mulla (2014). Priority-flood: an optimal depression-filling
       and watershed-labeling algorithm. Computers & Geosciences 62.
    """

    def __init__(self, surface: Field, cell: float) -> None:
        self.shape = surface.shape
        count = surface.size
        index = np.arange(count).reshape(self.shape)
        pairs = (
            (index[:, 1:], index[:, :-1], 1.0),
            (index[1:], index[:-1], 1.0),
            (index[1:, 1:], index[:-1, :-1], np.sqrt(2)),
            (index[1:, :-1], index[:-1, 1:], np.sqrt(2)),
        )
        border = np.concatenate([index[0], index[-1], index[1:-1, 0], index[1:-1, -1]])
        start = np.concatenate([*(a.ravel() for a, _, _ in pairs), border])
        end = np.concatenate([*(b.ravel() for _, b, _ in pairs), np.full(border.size, count)])
        span = np.concatenate([*(np.full(a.size, d) for a, _, d in pairs), np.ones(border.size)])
        height = np.append(surface.ravel() - surface.min() + 1.0, 0.0)
        higher = np.maximum(height[start], height[end])
        weight = higher - 1e-3 * np.abs(height[start] - height[end]) / span
        graph = sparse.csr_array((weight, (start, end)), shape=(count + 1, count + 1))
        tree = minimum_spanning_tree(graph)
        order, before = breadth_first_order(tree, count, directed=False)
        place = np.empty(count + 1, np.int64)
        place[order] = np.arange(count + 1)
        self.order = order[1:]
        self.receiver = place[before[self.order]]
        rows, cols = np.divmod(np.append(self.order, 0), self.shape[1])
        to = before[self.order]
        to_row, to_col = np.divmod(np.where(to == count, self.order, to), self.shape[1])
        self.length = cell * np.maximum(np.hypot(rows[:-1] - to_row, cols[:-1] - to_col), 1.0)
        here = np.arange(1, count + 1)
        down = sparse.csc_array((np.ones(count), (here, self.receiver)), shape=graph.shape)
        self.factor = splu(
            sparse.csc_array(sparse.eye_array(count + 1) - down),
            permc_spec="NATURAL",
            diag_pivot_thresh=0.0,
            options={"SymmetricMode": True},
        )

    def gather(self, source: Field) -> Field:
        """Sum of ``source`` over all cells that drain through each cell, itself included."""
        return self._solve(source, upstream=True)

    def climb(self, slope: Field, base: Field) -> Field:
        """Height reached by climbing ``slope`` upstream from ``base`` at the border."""
        rise = slope.ravel()[self.order] * self.length
        leaves = self.receiver == 0
        rise[leaves] = base.ravel()[self.order[leaves]]
        source = np.empty(rise.size)
        source[self.order] = rise
        return self._solve(source.reshape(self.shape), upstream=False)

    def _solve(self, source: Field, *, upstream: bool) -> Field:
        """Sum over everything upstream of a cell, or over its way down to the border."""
        ordered = np.concatenate([[0.0], source.ravel()[self.order]])
        solved = self.factor.solve(ordered, trans="T" if upstream else "N")
        out = np.empty(self.order.size)
        out[self.order] = solved[1:]
        return out.reshape(self.shape)


def make_relief(geology: Geology, rng: Generator) -> Relief:
    """
    Steady-state relief over the bedrock, its basins flat, its valleys filled.

    Each round finds the rivers of the last surface and rebuilds the slopes they would keep
    in balance with uplift: steepness · catchment^−0.45, no steeper than a hillside [1]_.
    Hard beds stand as ridges along strike because their steepness is higher.

    References
    ----------
    .. [1] Whipple and Tucker (1999). Dynamics of the stream-power river incision model.
       J. Geophys. Res. 104(B8).
    """
    grid, cell = geology.grid, geology.grid.cell.dx
    hardness = np.array([np.nan, 0.45, 1.5, 0.7, 1.15, 1.35, 0.35, 0.2])[geology.bedrock]
    north = (grid.y - grid.y.min()) / (grid.y.max() - grid.y.min())
    ranges = strike_grain(geology, rng, 14_000.0, stretch=3.0, smoothness=2.0)
    uplift = np.exp(0.45 * ranges) * (1.15 - 0.5 * north[:, np.newaxis])
    # Without joints and weak spots rivers would run straight along rows and columns.
    weakness = random_field(rng, grid.shape, cell, 1_500.0, smoothness=0.5)
    steepness = 75.0 * gaussian_filter(hardness * uplift, 1.0) * np.exp(0.4 * weakness)
    steepness /= 1.0 + geology.basin_depth / 120.0
    broad = random_field(rng, grid.shape, cell, 45_000.0)
    rough = random_field(rng, grid.shape, cell, 6_000.0, smoothness=0.8)
    base = 2350.0 - 900.0 * north[:, np.newaxis] + 150.0 * broad
    surface = base + 500.0 * ranges - 0.8 * np.minimum(geology.basin_depth, 900.0) + 120.0 * rough
    for _ in range(ROUNDS):
        # Divides stand as cliffs where two rivers of unlike height meet: laying them back to
        # hillsides lets the lower river capture ground in the next round.
        surface = lay_back(surface, cell)
        surface += 10.0 * rng.standard_normal(grid.shape)
        drainage = Drainage(surface, cell)
        catchment = drainage.gather(np.full(grid.shape, cell**2))
        slope = np.minimum(steepness * catchment**-CONCAVITY, HILLSLOPE)
        surface = drainage.climb(slope, base)
    surface = lay_back(surface, cell)
    # Fans and terraces smooth the ground that a basin has filled.
    filled = np.minimum(geology.basin_depth / 300.0, 1.0)
    surface += filled * (gaussian_filter(surface, 1200.0 / cell) - surface)
    catchment = Drainage(surface, cell).gather(np.full(grid.shape, cell**2))
    distance, height, width = _valley_floor(surface, catchment, cell, rng)
    gravel = (distance <= width) & (height < 45.0)
    cover = gaussian_filter(gravel.astype(np.float64), 1.0) > 0.4
    patch, _ = label(cover)
    # A map sheet leaves out patches of less than half a square kilometre.
    cover &= np.bincount(patch.ravel())[patch] * cell**2 > 5e5
    # Gravel lies nearly level, so the floor keeps a fifth of the relief beneath it.
    surface -= 0.8 * np.where(cover, np.maximum(height, 0.0), 0.0)
    return Relief(elevation=surface, catchment=catchment, valley_distance=distance, cover=cover)


def _valley_floor(
    surface: Field, catchment: Field, cell: float, rng: Generator
) -> tuple[Field, Field, Field]:
    """Distance to the nearest valley, height above it and half its width, all in m."""
    channel = catchment > VALLEY_CATCHMENT
    distance, (row, col) = distance_transform_edt(~channel, sampling=cell, return_indices=True)
    wobble = random_field(rng, surface.shape, cell, 4_000.0, smoothness=1.0)
    width = 380.0 * np.sqrt(catchment[row, col] / VALLEY_CATCHMENT) * np.exp(0.6 * wobble)
    return distance, surface - surface[row, col], np.minimum(width, 2_500.0)


def lay_back(surface: Field, cell: float) -> Field:
    """The highest surface below ``surface`` that is no steeper than a hillside."""
    diagonal = np.sqrt(2)
    rise = (
        -HILLSLOPE * cell * np.array([[diagonal, 1, diagonal], [1, 0, 1], [diagonal, 1, diagonal]])
    )
    for _ in range(12):
        surface = grey_erosion(surface, structure=rise)
    return np.asarray(gaussian_filter(surface, 0.6))
