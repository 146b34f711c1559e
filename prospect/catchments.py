"""Where stream sediments come from: the ground upstream of samples, and what it adds."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

from prospect.errors import LayerError
from prospect.grid import Grid

SNAP_CELLS = 2
"""How far a sample may lie from the drainage that it was taken from, in cells, unless said."""

STREAM = 0.25e6
"""Ground, in m², that gathers enough water for a stream to be sampled."""

FEWEST_CELLS = 10
"""Cells that must drain to one before it counts as drainage, however large they are."""

MAX_CELLS = 100_000_000
"""A larger grid is refused: the drainage is traced over all of it at once."""

LEAST_OWN = 0.1
"""Of all ground upstream; below it a sample is told apart from those above it by its error."""

_NO_GROUND = -9999.0
"""Stands for gaps where elevations are handed to pyflwdir, and goes no further: no ground on
earth lies so deep."""

Values = NDArray[np.float64]
Whole = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Catchments:
    """
    The ground that each sampled place of the drainage speaks for.

    Places are numbered from 0, upstream ones before those they flow to.

    Attributes
    ----------
    grid : Grid
    owner : array of shape (y, x), int32
        The nearest sampled place downstream; -1 where there is none.
    row, col : array of shape (m,)
        Cells of the sampled places.
    place : array of shape (n,)
        Of each sample its place; -1 for a sample off the drainage.
    below : array of shape (m,)
        The next sampled place downstream; -1 where there is none.
    area, own : array of shape (m,), m²
        All ground upstream, and the part of it that no other sampled place lies below.
    at_edge : array of shape (m,), bool
        Whether ground upstream reaches the edge of the elevation or a gap in it, where a
        catchment may be cut off.
    """

    grid: Grid
    owner: NDArray[np.int32]
    row: Whole
    col: Whole
    place: Whole
    below: Whole
    area: Values
    own: Values
    at_edge: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, np.bool_))

    def gathered(self, own: Values) -> Values:
        """
        Sums over all ground upstream, of sums over each place's own ground.

        Parameters
        ----------
        own : array of shape (m,) or (m, k)
        """
        total = np.array(own, float)
        for place, below in enumerate(self.below):
            if below >= 0:
                total[below] += total[place]
        return total

    def added(self, total: Values) -> Values:
        """What a place's own ground adds to sums over all ground upstream."""
        own = np.array(total, float)
        has = self.below >= 0
        np.subtract.at(own, self.below[has], np.asarray(total, float)[has])
        return own

    def shares(self, rock: NDArray[np.int32]) -> tuple[list[int], Values]:
        """
        Shares of each rock in all ground upstream.

        Parameters
        ----------
        rock : array of shape (y, x), int
            Codes of classes; a negative number is unmapped ground, left out of the shares.

        Returns
        -------
        codes : list of int
        shares : array of shape (m, len(codes))
            NaN where no ground upstream is mapped.
        """
        known = (self.owner >= 0) & (rock >= 0)
        codes, which = np.unique(rock[known], return_inverse=True)
        places = self.row.size
        cells = self.owner[known].astype(np.int64) * codes.size + which.ravel()
        own = np.bincount(cells, minlength=places * codes.size).reshape(places, -1)
        total = self.gathered(own.astype(float))
        whole = total.sum(axis=1, keepdims=True)
        return codes.tolist(), np.divide(
            total, whole, out=np.full_like(total, np.nan), where=whole > 0
        )

    def spread(self, values: Values) -> NDArray[np.float32]:
        """A value a place, laid over its own ground: array of shape (y, x), NaN elsewhere."""
        table = np.append(np.asarray(values, np.float32), np.float32(np.nan))
        return table[self.owner]


@dataclass(frozen=True, eq=False)
class Drainage:
    """
    Which way water goes from every cell, and how much ground gathers there.

    Attributes
    ----------
    grid : Grid
    valid : array of shape (y, x), bool
        Where there is an elevation.
    gathered : array of shape (y, x)
        Cells upstream, the cell itself among them; 0 in gaps of the elevation.
    flow : pyflwdir.FlwdirRaster
    """

    grid: Grid
    valid: NDArray[np.bool_]
    gathered: Values
    flow: Any

    @classmethod
    def of(cls, elevation: NDArray[np.float32], grid: Grid) -> Drainage:
        """
        Trace the drainage of an elevation.

        Depressions are filled and every cell drains to one of its eight neighbours [1]_;
        water leaves at the edge of the elevation and at its gaps.

        Parameters
        ----------
        elevation : array of shape (y, x), metres
            NaN for gaps.
        grid : Grid
            In metres.

        Raises
        ------
        LayerError
            If the package ``pyflwdir`` is not installed, or there are more than a hundred
            million cells, since water does not keep to tiles.

        References
        ----------
        .. [1] Wang and Liu (2006). An efficient method for identifying and filling surface
           depressions in digital elevation models. IJGIS 20(2).
        """
        grid.require_metres()
        if elevation.size > MAX_CELLS:
            raise LayerError(
                f"The drainage of {elevation.size:,} cells is too much to trace at once (at "
                f"most {MAX_CELLS:,}): take a part of the ground, or a coarser grid."
            )
        try:
            import pyflwdir
        except ImportError as error:
            raise LayerError(
                "Catchments need the package pyflwdir: pip install 'prospect[catchments]'."
            ) from error
        valid = np.isfinite(elevation)
        filled = np.where(valid, elevation, np.float32(_NO_GROUND)).astype(np.float32)
        flow = pyflwdir.from_dem(filled, nodata=_NO_GROUND)
        gathered = np.where(valid, flow.upstream_area(), 0).astype(float)
        return cls(grid, valid, gathered, flow)

    def catchments(
        self, x: Values, y: Values, *, snap: float | None = None, stream: float = STREAM
    ) -> Catchments:
        """
        The ground upstream of stream samples.

        Parameters
        ----------
        x, y : array of shape (n,), metres
            Samples that come to lie in one cell share a place.
        snap : float, metres, optional
            A sample is moved to the nearest cell of the drainage, from cell centre, within
            this distance; two cells by default. One with none so near has no catchment.
        stream : float, m²
            Ground that makes drainage, ten cells at least.

        Returns
        -------
        Catchments

        Raises
        ------
        LayerError
            If no sample lies on the drainage.
        """
        snap = SNAP_CELLS * max(self.grid.cell) if snap is None else snap
        if not snap > 0 or not stream > 0:
            raise LayerError("snap and stream are positive numbers.")
        cell_area = self.grid.cell.dx * self.grid.cell.dy
        rows, cols = np.nonzero(self.gathered >= max(stream / cell_area, FEWEST_CELLS))
        cell_of = np.full(x.size, -1, np.int64)
        placed = np.flatnonzero(np.isfinite(x) & np.isfinite(y))
        if rows.size and placed.size:
            distance, index = KDTree(np.column_stack([self.grid.x[cols], self.grid.y[rows]])).query(
                np.column_stack([x[placed], y[placed]]), distance_upper_bound=snap
            )
            near = np.isfinite(distance)
            cell_of[placed[near]] = rows[index[near]] * self.grid.cols + cols[index[near]]
        places = np.unique(cell_of[cell_of >= 0])
        if not places.size:
            raise LayerError(
                f"None of {x.size} samples lies within {snap:g} m of the drainage traced from "
                "the elevation: look at their coordinate system, or give a longer --snap."
            )
        # Ground gathers downstream: less of it means further up.
        gathered = self.gathered.ravel()
        places = places[np.argsort(gathered[places], kind="stable")]
        number = np.full(gathered.size + 1, -1, np.int64)
        number[places] = np.arange(places.size)
        labels = np.arange(1, places.size + 1, dtype=np.uint32)
        owner = self.flow.basins(idxs=places, ids=labels).astype(np.int32) - 1
        onward = self.flow.idxs_ds[places].astype(np.int64)
        found = Catchments(
            self.grid,
            owner,
            places // self.grid.cols,
            places % self.grid.cols,
            number[cell_of],
            np.where(onward == places, -1, owner.ravel()[onward]),
            gathered[places] * cell_area,
            (np.bincount(owner[owner >= 0], minlength=places.size) * cell_area).astype(float),
        )
        rim = np.bincount(owner[(owner >= 0) & _rim(self.valid)], minlength=places.size)
        return replace(found, at_edge=found.gathered(rim.astype(float)) > 0)


def productivity(found: Catchments, concentration: Values, expected: Values) -> Values:
    """
    What each place's own ground adds to its sediment beyond the background.

    Sediment from barren ground dilutes an anomaly, but not the product of anomaly and area
    [1]_: it is the same all the way down a stream. So what sampled places upstream bring is
    taken off. The error of a sample counts times all ground above it, so that on large
    rivers the result says little.

    Parameters
    ----------
    found : Catchments
    concentration, expected : array of shape (m,), ppm
        Measured, and the background.

    Returns
    -------
    array of shape (m,), ppm·km²
        NaN where a place, or one next upstream of it, has no value, and where less than a
        tenth of all ground upstream is the place's own.

    References
    ----------
    .. [1] Hawkes (1976). The downstream dilution of stream sediment anomalies. Journal of
       Geochemical Exploration 6.
    """
    own = found.added((concentration - expected) * found.area / 1e6)
    return np.where(found.own >= LEAST_OWN * found.area, own, np.nan)


def _rim(valid: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Valid cells at the edge, or with a gap among their eight neighbours."""
    inside = np.pad(valid, 1)
    rows, cols = valid.shape
    whole = np.ones_like(valid)
    for down in range(3):
        for across in range(3):
            whole &= inside[down : down + rows, across : across + cols]
    return valid & ~whole
