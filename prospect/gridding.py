"""Points become grids: inverse distances and ordinary kriging by local neighbourhoods."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy.optimize import curve_fit
from scipy.spatial import KDTree
from scipy.spatial.distance import pdist

from prospect.errors import LayerError
from prospect.grid import Grid, Window
from prospect.progress import Progress, silent

NEIGHBOURS = 16
"""Points that each cell is estimated from."""

VARIOGRAM_SAMPLE = 2_000
"""Points that the variogram is measured on: two million pairs, however many points there are."""

_LAGS = 24
_CHUNK = 16_384

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Variogram:
    """
    How unlike two points are, by their distance: nugget, partial sill and range.

    Attributes
    ----------
    nugget, sill : float
        In squared units of the value; ``sill`` is reached beyond the range and includes
        the nugget.
    range : float, metres
    model : 'spherical' or 'exponential'
    """

    nugget: float
    sill: float
    range: float
    model: str = "spherical"

    def __call__(self, distance: Values) -> Values:
        """The semivariance at some distances, 0 at zero."""
        shape = _SHAPES[self.model](distance / self.range)
        gamma = self.nugget + (self.sill - self.nugget) * shape
        return np.where(distance > 0, gamma, 0.0)

    def scaled(self, factor: float) -> Variogram:
        """The same shape, with other variances: estimates stay, their variance is scaled."""
        return replace(self, nugget=factor * self.nugget, sill=factor * self.sill)


def fit_variogram(
    x: Values,
    y: Values,
    value: Values,
    *,
    model: str = "spherical",
    reach: float | None = None,
    random_state: int = 0,
) -> Variogram:
    """
    Fit a variogram to a sample of the points.

    Parameters
    ----------
    x, y : array of shape (n,), metres
    value : array of shape (n,)
    model : 'spherical' or 'exponential'
    reach : float, metres, optional
        Longest distance looked at; by default a third of the sample's extent.
    random_state : int
        Of the sample, drawn when there are more than two thousand points.

    Returns
    -------
    Variogram
        Of classes of distance weighted by their pairs (Matheron's estimator).

    Raises
    ------
    LayerError
        If there are fewer than ten points, or they all have one value.
    """
    if model not in _SHAPES:
        raise LayerError(f"The model is one of {', '.join(_SHAPES)}, not '{model}'.")
    x, y, value = _distinct(x, y, value)
    if x.size < 10 or np.ptp(value) == 0:
        raise LayerError(
            f"{x.size} points with {np.unique(value).size} values do not make a variogram: at "
            "least ten that differ are needed; grid by inverse distances instead."
        )
    if x.size > VARIOGRAM_SAMPLE:
        picked = np.random.default_rng(random_state).choice(x.size, VARIOGRAM_SAMPLE, False)
        x, y, value = x[picked], y[picked], value[picked]
    reach = reach or float(np.hypot(np.ptp(x), np.ptp(y)) / 3)
    distance = pdist(np.column_stack([x, y]))
    unlike = 0.5 * pdist(value[:, None], "sqeuclidean")
    near = distance <= reach
    lag = np.minimum((distance[near] / reach * _LAGS).astype(np.int64), _LAGS - 1)
    pairs = np.bincount(lag, minlength=_LAGS)
    has = pairs > 0
    mean_distance = np.bincount(lag, distance[near], _LAGS)[has] / pairs[has]
    gamma = np.bincount(lag, unlike[near], _LAGS)[has] / pairs[has]
    variance = float(value.var())

    def curve(h: Values, nugget: float, partial: float, span: float) -> Values:
        return nugget + partial * _SHAPES[model](h / span)

    start = (0.1 * variance, 0.9 * variance, reach / 3)
    high = (4 * gamma.max(), 4 * gamma.max(), 3 * reach)
    try:
        (nugget, partial, span), _ = curve_fit(
            curve,
            mean_distance,
            gamma,
            p0=np.minimum(start, np.multiply(high, 0.99)),
            sigma=1 / np.sqrt(pairs[has]),
            bounds=((0, 0, reach / 1000), high),
        )
    except RuntimeError as error:
        raise LayerError(
            "No variogram fits the points: give one, or grid by inverse distances."
        ) from error
    return Variogram(float(nugget), float(nugget + partial), float(span), model)


def grid_points(
    x: Values,
    y: Values,
    value: Values,
    grid: Grid,
    *,
    method: str = "idw",
    radius: float | None = None,
    neighbours: int = NEIGHBOURS,
    power: float = 2.0,
    variogram: Variogram | None = None,
    name: str = "value",
    unit: str = "",
    progress: Progress = silent,
) -> xr.Dataset:
    """
    Estimate the cells of a grid from points.

    Parameters
    ----------
    x, y : array of shape (n,), metres
        In the grid's coordinate system.
    value : array of shape (n,)
        Rows with a gap are left out; points at one place are averaged.
    grid : Grid
    method : 'idw' or 'kriging'
        Inverse distances, or ordinary kriging [1]_ from the nearest points.
    radius : float, metres, optional
        Cells with no point this near are gaps; by default three times the distance that
        95 % of points have a neighbour within, since points stand in clusters.
    neighbours : int
        Points that each cell is estimated from, the nearest within the radius.
    power : float
        Of inverse distances.
    variogram : Variogram, optional
        For kriging; fitted to a sample when not given.
    name, unit : str
    progress : callable

    Returns
    -------
    Dataset of dims (y, x), float32
        ``name`` at cell centres; with kriging also ``name_variance``, in squared units,
        which does not include the uncertainty of the variogram.

    Raises
    ------
    LayerError
        If nothing is left to estimate from, or an option is unknown.

    References
    ----------
    .. [1] Chilès and Delfiner (2012). Geostatistics: modeling spatial uncertainty.
    """
    estimator = _Estimator.of(x, y, value, method, radius, neighbours, power, variogram)
    grid.require_metres()
    shape = grid.shape
    planes = {name: np.full(shape, np.nan, np.float32)}
    if method == "kriging":
        planes[f"{name}_variance"] = np.full(shape, np.nan, np.float32)
    blocks = [block.intersect(grid.window) for block in grid.window.lattice_blocks()]
    with progress(f"Gridding {name}", len(blocks)) as done:
        for block in blocks:
            for plane, estimate in zip(
                planes.values(), estimator.at(*_centres(grid, block)), strict=False
            ):
                plane[block.slices] = estimate.reshape(block.height, block.width)
            done(1)
    coordinates = grid.coordinates()
    variables = {
        key: xr.DataArray(plane, dims=("y", "x"), attrs={"units": unit} if unit else {})
        for key, plane in planes.items()
    }
    if method == "kriging" and unit:
        variables[f"{name}_variance"].attrs["units"] = f"({unit})^2"
    return xr.Dataset(variables, coords=coordinates)


def leave_one_out(
    x: Values,
    y: Values,
    value: Values,
    *,
    method: str = "idw",
    radius: float | None = None,
    neighbours: int = NEIGHBOURS,
    power: float = 2.0,
    variogram: Variogram | None = None,
    sample: int | None = None,
    random_state: int = 0,
) -> NDArray[np.float64]:
    """
    What the other points say of each point.

    Parameters
    ----------
    x, y, value, method, radius, neighbours, power, variogram
        As of :func:`grid_points`.
    sample : int, optional
        Points to ask about; all by default.
    random_state : int

    Returns
    -------
    array of shape (m, 2), or (m, 3) with kriging
        Value and estimate of every point that could be estimated, and the variance of the
        estimate. Points at one place are one; the variogram is not fitted again.
    """
    estimator = _Estimator.of(x, y, value, method, radius, neighbours, power, variogram)
    asked = np.arange(estimator.x.size)
    if sample is not None and sample < asked.size:
        asked = np.random.default_rng(random_state).choice(asked, sample, replace=False)
    told = estimator.at(estimator.x[asked], estimator.y[asked], skip_self=True)
    table = np.column_stack([estimator.value[asked], *told])
    return table[np.isfinite(told[0])]


@dataclass(frozen=True)
class _Estimator:
    """Distinct points, and how cells are estimated from the nearest of them."""

    x: Values
    y: Values
    value: Values
    tree: KDTree
    method: str
    radius: float
    neighbours: int
    power: float
    variogram: Variogram | None

    @classmethod
    def of(
        cls,
        x: Values,
        y: Values,
        value: Values,
        method: str,
        radius: float | None,
        neighbours: int,
        power: float,
        variogram: Variogram | None,
    ) -> _Estimator:
        if method not in ("idw", "kriging"):
            raise LayerError(f"The method is 'idw' or 'kriging', not '{method}'.")
        if neighbours < 1 or (radius is not None and not radius > 0) or not power > 0:
            raise LayerError("neighbours, radius and power are positive numbers.")
        x, y, value = _distinct(x, y, value)
        if x.size == 0:
            raise LayerError("No point has both a place and a value: nothing can be gridded.")
        tree = KDTree(np.column_stack([x, y]))
        if radius is None:
            spacing = tree.query(tree.data, k=min(2, x.size))[0].reshape(x.size, -1)[:, -1]
            radius = 3 * float(np.quantile(spacing, 0.95)) or np.inf
        if method == "kriging" and variogram is None:
            variogram = fit_variogram(x, y, value)
        return cls(x, y, value, tree, method, radius, neighbours, power, variogram)

    def at(self, x: Values, y: Values, skip_self: bool = False) -> tuple[Values, ...]:
        """Estimates at some places, and with kriging their variances; NaN out of reach."""
        count = 2 if self.method == "kriging" else 1
        results = tuple(np.full(x.size, np.nan) for _ in range(count))
        wanted = min(self.neighbours + skip_self, self.x.size)
        for start in range(0, x.size, _CHUNK):
            part = slice(start, start + _CHUNK)
            places = np.column_stack([x[part], y[part]])
            distance, index = self.tree.query(
                places, k=np.arange(1, wanted + 1), distance_upper_bound=self.radius
            )
            if skip_self:
                distance, index = distance[:, 1:], index[:, 1:]
            here = np.isfinite(distance).any(axis=1) if distance.shape[1] else np.zeros(0, bool)
            if not here.any():
                continue
            estimates = self._estimate(distance[here], index[here])
            for result, estimate in zip(results, estimates, strict=True):
                result[part][here] = estimate
        return results

    def _estimate(self, distance: Values, index: NDArray[np.int64]) -> tuple[Values, ...]:
        missing = ~np.isfinite(distance)
        index = np.where(missing, 0, index)
        if self.method == "idw":
            weight = np.where(missing, 0.0, np.maximum(distance, 1e-9) ** -self.power)
            weight /= weight.sum(axis=1, keepdims=True)
            return ((weight * self.value[index]).sum(axis=1),)
        assert self.variogram is not None
        return _krige(
            self.x[index], self.y[index], self.value[index], distance, missing, self.variogram
        )


def _krige(
    x: Values,
    y: Values,
    value: Values,
    distance: Values,
    missing: NDArray[np.bool_],
    gamma: Variogram,
) -> tuple[Values, Values]:
    """Ordinary kriging of many cells at once, each from neighbours of its own."""
    cells, k = distance.shape
    system = np.zeros((cells, k + 1, k + 1))
    right = np.ones((cells, k + 1))
    between = np.hypot(x[:, :, None] - x[:, None, :], y[:, :, None] - y[:, None, :])
    system[:, :k, :k] = gamma(between)
    system[:, :k, k] = system[:, k, :k] = 1.0
    right[:, :k] = gamma(distance)
    # A neighbour that is missing gets the equation "my weight is nothing".
    row, col = np.nonzero(missing)
    system[row, col, :] = 0.0
    system[row, :, col] = 0.0
    system[row, col, col] = 1.0
    right[row, col] = 0.0
    solution = np.linalg.solve(system, right[:, :, None])[:, :, 0]
    variance = (solution * right).sum(axis=1)
    return (solution[:, :k] * value).sum(axis=1), np.maximum(variance, 0.0)


def _distinct(x: Values, y: Values, value: Values) -> tuple[Values, Values, Values]:
    """Points with a place and a value; those at one place averaged."""
    x, y, value = (np.asarray(a, float) for a in (x, y, value))
    if not x.shape == y.shape == value.shape or x.ndim != 1:
        raise LayerError(
            f"x, y and value are arrays of one length, but {x.shape}, {y.shape} and "
            f"{value.shape} came."
        )
    known = np.isfinite(x) & np.isfinite(y) & np.isfinite(value)
    places, which = np.unique(np.column_stack([x, y])[known], axis=0, return_inverse=True)
    which = which.ravel()
    count = np.maximum(np.bincount(which), 1)
    mean = np.bincount(which, value[known]) / count if known.any() else np.empty(0)
    return places[:, 0], places[:, 1], mean


def _centres(grid: Grid, block: Window) -> tuple[Values, Values]:
    rows, cols = block.slices
    x, y = np.meshgrid(grid.x[cols], grid.y[rows])
    return x.ravel(), y.ravel()


def _spherical(h: Values) -> Values:
    h = np.minimum(h, 1.0)
    return np.asarray(1.5 * h - 0.5 * h**3)


def _exponential(h: Values) -> Values:
    # The range is the practical one: 95 % of the sill.
    return np.asarray(1 - np.exp(-3 * h))


_SHAPES = {"spherical": _spherical, "exponential": _exponential}
