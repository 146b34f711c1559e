"""What would narrow the spread of a target most: a layer that has gaps there, or a traverse."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
import xarray as xr
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline

from prospect.errors import ModelError
from prospect.evidence import layers_behind
from prospect.grid import Grid, Window
from prospect.inference import compile_estimator
from prospect.model import Model
from prospect.models import TrainingDraws
from prospect.models.training_draws import levels_of
from prospect.raster import burn
from prospect.roles import family
from prospect.samples import features_at
from prospect.targets.blocks import has_members, said_by_members
from prospect.targets.cells import Cells
from prospect.targets.ranking import expected, prior_doubt
from prospect.vector import frame, to_crs

Array = NDArray[np.float64]
Features = NDArray[np.float32]

LENGTH = 2_000.0
"""Metres of a traverse: about a day's work on foot, with sampling."""

LOOKED_AT = 20
"""Zones of each list, the first of it, that are looked at."""

CELLS = 400
"""Cells of a zone that are asked, spread over it."""

ALIKE = 30
"""Cells whose values stand for what a missing layer may say."""

DONORS = 2_000
"""Cells of the whole ground among which those are."""

LEAST = 0.005
"""Of likelihood: what a layer would move less is not told."""

_ENDS = ("line_x1", "line_y1", "line_x2", "line_y2")
_DIRECTIONS = np.deg2rad([0.0, 45.0, 90.0, 135.0])


def narrow(
    zones: Any,
    model: Model,
    stack: xr.Dataset,
    *,
    length: float = LENGTH,
    workers: int | None = None,
) -> Any:
    """
    Tell of every zone which missing layer, and which traverse, would narrow its spread most.

    *A layer* can tell something where it has gaps. The values missing there are drawn from
    cells of the ground that are alike in all that is known; the variance of the likelihood
    over these draws is what would be gone, on average, once the layer is known (law of total
    variance). All layers of a family, such as geochemistry, are taken as one survey.

    *A traverse* is a line whose mean likelihood is taken as known afterwards. The draws of the
    model say how the likelihood of every cell goes with that mean: of its variance,
    covariance squared over the variance of the mean would be gone. The line is the one that
    takes most off the sum over the zone's cells: active learning by expected reduction of
    variance [1]_, A-optimal design [2]_.

    Both are expectations under the model, and upper bounds: a field day does not tell the
    mean likelihood exactly, and a survey may show the model wrong.

    Parameters
    ----------
    zones : GeoDataFrame
        Targets or blocks, in the order of their ranks. The first 20 of each list are told of.
    model : Model
    stack : Dataset
        The layers the map was made of.
    length : float, metres
        Of a traverse.
    workers : int, optional

    Returns
    -------
    GeoDataFrame
        The zones with: layer (a family, or nothing), layer_gap (share of the zone where it
        is missing) and layer_move (standard deviation, over the zone, of the likelihood
        over what it may say; less than 0.005 is passed over); line_from, line_to (spread
        between draws, over the zone, before and after a traverse) and line_x1, line_y1,
        line_x2, line_y2 (its ends, in the coordinates of the map). NaN where nothing can be
        told: of later zones, where no layer is missing, and of models without draws.
        Where deposits are expected, their interval takes in the spread as well.

    Raises
    ------
    ModelError
        If the length is none.

    References
    ----------
    .. [1] Cohn (1996). Neural network exploration using optimal experiment design. Neural
       Networks 9(6).
    .. [2] Atkinson, Donev and Tobias (2007). Optimum experimental designs, with SAS. Oxford
       University Press.
    """
    if not length > 0:
        raise ModelError(f"A traverse has a length in metres, but {length:g} came.")
    grid = model.builder.require_grid(stack)
    made = to_crs(zones, grid.crs).copy()
    made["layer"] = ""
    for name in ("layer_gap", "layer_move", "line_from", "line_to", *_ENDS):
        made[name] = np.nan
    shapes = list(made.geometry)
    looked = [k for k in _first(zones) if shapes[k] is not None]
    cells = {k: found for k in looked if (found := cells_of(shapes[k], grid))[0].size}
    if not cells:
        return made
    row, col = (np.concatenate([each[i] for each in cells.values()]) for i in (0, 1))
    features = features_at(model.builder, stack, row, col, workers=workers)
    owner = np.repeat(list(cells), [each[0].size for each in cells.values()])
    told = _layers(model, stack, features, owner, workers)
    for k, (name, gap, moves) in told.items():
        made.loc[made.index[k], ["layer", "layer_gap", "layer_move"]] = [name, gap, moves]
    draws = Draws.of(model.estimator, features)
    if draws is None:
        return made
    for k in cells:
        here = owner == k
        xy = np.column_stack([grid.x[col[here]], grid.y[row[here]]])
        common = draws.covariance(here)
        if "expected" in made:
            number = expected(made["expected"].iloc[k], *_doubt(model, draws.said[:, here], common))
            made.loc[made.index[k], list(number)] = list(number.values())
        line, fall = best_traverse(xy, common, length)
        if line is None:
            continue
        total = float(np.trace(common))
        made.loc[made.index[k], ["line_from", "line_to", *_ENDS]] = [
            np.sqrt(total / here.sum()),
            np.sqrt(max(0.0, total - fall) / here.sum()),
            *line.ravel(),
        ]
    return made


def traverses_of(zones: Any) -> Any:
    """
    The traverses of zones as lines, the one that takes off most variance first.

    Parameters
    ----------
    zones : GeoDataFrame
        From :func:`narrow`.

    Returns
    -------
    GeoDataFrame
        order, list and rank (of the zone), km, line_from, line_to and the ends. They are
        ordered by the fall of variance times the area of the zone.
    """
    kept = zones[zones["line_to"].notna()]
    fall = (kept["line_from"] ** 2 - kept["line_to"] ** 2) * kept["area_km2"]
    kept = kept.loc[fall.sort_values(ascending=False, kind="stable").index]
    lines = [
        shapely.LineString(ends) for ends in kept[list(_ENDS)].to_numpy(float).reshape(-1, 2, 2)
    ]
    told: dict[str, Any] = {"order": np.arange(1, len(kept) + 1)}
    told |= {name: kept[name].to_numpy() for name in ("list", "rank") if name in kept}
    told |= {"km": [line.length / 1000 for line in lines]}
    told |= {name: kept[name].to_numpy() for name in ("line_from", "line_to", *_ENDS)}
    return frame(told, lines, zones.crs)


def cells_of(shape: Any, grid: Grid) -> tuple[Cells, Cells]:
    """Rows and columns of the cells whose centres lie in a shape, at most ``CELLS``, evenly."""
    west, south, east, north = shape.bounds
    a, e = grid.transform.a, -grid.transform.e
    left, top = math.floor((west - grid.bounds[0]) / a), math.floor((grid.bounds[3] - north) / e)
    size = math.ceil((north - south) / e) + 1, math.ceil((east - west) / a) + 1
    near = Window(top, left, *size).intersect(grid.window)
    if near.height <= 0 or near.width <= 0:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    row, col = np.nonzero(burn([shape], grid.crop(near)))
    step = max(1, int(np.ceil(np.sqrt(row.size / CELLS))))
    kept = (row % step == 0) & (col % step == 0)
    if not kept.any():
        kept[:] = True
    return row[kept] + near.row, col[kept] + near.col


def what_layers_would_tell(
    predict: Any, features: Features, donors: Features, member: NDArray[np.bool_]
) -> Array:
    """
    Variance of the likelihood over what missing features may say.

    Parameters
    ----------
    predict : callable
        The score of features of shape (k, rows, cols).
    features : array of shape (n, k)
        Of the cells asked about.
    donors : array of shape (m, k)
        Of cells anywhere.
    member : array of shape (k,), bool
        The features that the layer would make known.

    Returns
    -------
    array of shape (n,)
        0 where none is missing; NaN where fewer donors than ``ALIKE`` know them.
    """
    found = np.zeros(len(features))
    missing = np.isnan(features) & member
    order = np.sort(donors, axis=0)
    own, theirs = _ranks(features, order), _ranks(donors, order)
    asked = np.flatnonzero(missing.any(axis=1))
    gaps, which = np.unique(np.isnan(features[asked]), axis=0, return_inverse=True)
    for number, gap in enumerate(gaps):
        pattern, here = gap & member, asked[which.ravel() == number]
        giving = np.flatnonzero(~np.isnan(donors[:, pattern]).any(axis=1))
        if giving.size < ALIKE:
            found[here] = np.nan
            continue
        apart = _squared(own[here][:, ~gap], theirs[giving][:, ~gap])
        alike = giving[np.argsort(apart, axis=1, kind="stable")[:, :ALIKE]]
        drawn = np.repeat(features[here, None], ALIKE, axis=1)
        drawn[:, :, pattern] = donors[alike][:, :, pattern]
        found[here] = predict(np.moveaxis(drawn, 2, 0)).var(axis=1, ddof=1)
    return found


def best_traverse(xy: Array, common: Array, length: float) -> tuple[Array | None, float]:
    """
    The straight line in a zone whose mean, once known, takes most off the sum of variances.

    Lines run north, east or between, around every cell; those that have less than half of
    what any line has in the zone are passed over.

    Parameters
    ----------
    xy : array of shape (n, 2), metres
        Cells of the zone, on a lattice.
    common : array of shape (n, n)
        Covariance of their scores between draws.
    length : float, metres

    Returns
    -------
    ends : array of shape (2, 2), or None
        Of its part in the zone; None where the draws agree everywhere.
    fall : float
        By how much the sum falls.
    """
    apart = [np.diff(np.unique(each)) for each in xy.T]
    step = min((float(each.min()) for each in apart if each.size), default=length)
    ends, falls = [], []
    for angle in _DIRECTIONS:
        along = np.array([np.sin(angle), np.cos(angle)])
        u, v = xy @ along, xy @ (along[::-1] * (1, -1))
        inside = (np.abs(u[:, None] - u) <= length / 2) & (np.abs(v[:, None] - v) < step / 2)
        weight = inside / inside.sum(axis=1, keepdims=True)
        with_mean = weight @ common
        of_mean = (with_mean * weight).sum(axis=1)
        taken = (with_mean**2).sum(axis=1)
        falls.append(np.divide(taken, of_mean, out=np.zeros(len(xy)), where=of_mean > 0))
        reach = np.where(inside, u, np.nan)
        low, high = np.nanmin(reach, axis=1) - step / 2, np.nanmax(reach, axis=1) + step / 2
        part = np.clip(np.stack([low - u, high - u], axis=1), -length / 2, length / 2)
        ends.append(xy[:, None] + part[:, :, None] * along)
    line, fall = np.concatenate(ends), np.concatenate(falls)
    size = np.hypot(*(line[:, 1] - line[:, 0]).T)
    fall[size < size.max() / 2] = 0
    best = int(np.argmax(fall))
    return (line[best], float(fall[best])) if fall[best] > 0 else (None, 0.0)


@dataclass(frozen=True)
class Draws:
    """
    What every member of an ensemble says of some cells.

    Attributes
    ----------
    said : array of shape (member, n)
    levels : array of shape (3, member), int, or None
        Which draws of a Latin square each member has; None where members are draws.
    told : int
        How many of the three differ at all.
    """

    said: Array
    levels: NDArray[np.int64] | None = None
    told: int = 0

    @classmethod
    def of(cls, estimator: Any, features: Features) -> Draws | None:
        """Ask the members; None where nothing in the estimator could disagree."""
        if not has_members(estimator):
            return None
        said = said_by_members(estimator, features)
        last = estimator[-1] if isinstance(estimator, Pipeline) else estimator
        if not isinstance(last, TrainingDraws):
            return cls(said)
        return cls(said, levels_of(last.n_draws), 3 if last.placed_ else 2)

    def covariance(self, cells: NDArray[np.bool_]) -> Array:
        """
        Covariance of the scores of cells between draws, whose diagonal is the squared spread.

        Parameters
        ----------
        cells : array of shape (n,), bool

        Returns
        -------
        array of shape (cells, cells)
            Of a Latin square by analysis of covariance, rid of the chance in single members;
            what that leaves negative is put at 0.
        """
        apart = self.said[:, cells] - self.said[:, cells].mean(axis=0)
        if self.levels is None:
            found: Array = apart.T @ apart / len(apart)
            return found
        side = int(self.levels.max()) + 1
        means = [np.stack([apart[at == k].mean(axis=0) for k in range(side)]) for at in self.levels]
        left = apart - sum(each[at] for each, at in zip(means, self.levels, strict=True))
        chance = left.T @ left / ((side - 1) * (side - 2))
        # Of each draw: mean product between its levels, rid of chance, a level at a time.
        between = [side * each.T @ each / (side - 1) - chance for each in means[: self.told]]
        value, vector = np.linalg.eigh(sum(between) / side)
        positive: Array = (vector * np.maximum(value, 0.0)) @ vector.T
        return positive


def _doubt(model: Model, said: Array, common: Array) -> tuple[float, str]:
    """
    Relative variance of the deposits expected in a zone, of the draws and of the prior.

    Probabilities go with scores by the slope of the calibration over the spread of each cell.
    """
    known, told = prior_doubt(model)
    if model.calibration is None or model.prior is None:
        return known, told
    score, spread = said.mean(axis=0), np.maximum(np.sqrt(np.diag(common)), 1e-3)
    low, middle, high = (
        model.calibration.probability(np.clip(score + k * spread, 0, 1), model.prior.per_cell)
        for k in (-1, 0, 1)
    )
    slope = (high - low) / (2 * spread)
    drawn = float(slope @ common @ slope) / float(middle.sum()) ** 2
    return known + drawn, "prior and spread" if known else "spread"


def _first(zones: Any) -> list[int]:
    """Places of the zones that are looked at."""
    if "list" not in zones:
        return list(range(min(LOOKED_AT, len(zones))))
    names = zones["list"].to_numpy()
    return [
        int(k) for name in dict.fromkeys(names) for k in np.flatnonzero(names == name)[:LOOKED_AT]
    ]


def _layers(
    model: Model, stack: xr.Dataset, features: Features, owner: Cells, workers: int | None
) -> dict[int, tuple[str, float, float]]:
    """Of every zone that misses a family of layers: the one that would tell most."""
    families = _families(model)
    gap: dict[str, NDArray[np.bool_]] = {
        name: np.asarray(np.isnan(features[:, of]).any(axis=1)) for name, of in families.items()
    }
    if not any(each.any() for each in gap.values()):
        return {}
    donors = _donors(model, stack, workers)
    predict = compile_estimator(model.estimator).predict
    told: dict[int, tuple[str, float, float]] = {}
    for name, of in families.items():
        if not gap[name].any():
            continue
        moves = what_layers_would_tell(predict, features, donors, of)
        for k in np.unique(owner[gap[name]]):
            here = owner == k
            size = float(np.sqrt(moves[here].mean()))
            if size >= max(LEAST, told.get(int(k), ("", 0.0, 0.0))[2]):
                told[int(k)] = (name, float(gap[name][here].mean()), size)
    return told


def _families(model: Model) -> dict[str, NDArray[np.bool_]]:
    """Which features rest on layers of each family."""
    cards = model.builder.layers_
    behind = [
        {family(cards[name].role or name) for name in layers}
        for layers in layers_behind(model.builder)
    ]
    names = dict.fromkeys(name for each in behind for name in sorted(each))
    return {name: np.array([name in each for each in behind]) for name in names}


def _donors(model: Model, stack: xr.Dataset, workers: int | None) -> Features:
    """Features of cells drawn evenly over the ground: some of those the model was measured on."""
    ground = np.flatnonzero(np.asarray(model.samples["label"]) == -1)
    ground = ground[:: max(1, ground.size // DONORS)]
    x, y = (np.asarray(model.samples[name])[ground] for name in ("x", "y"))
    row, col, inside = Grid.of(stack).index(x, y)
    return features_at(model.builder, stack, row[inside], col[inside], workers=workers)


def _ranks(values: Features, order: Features) -> Array:
    """Ranks from 0 to 1 among sorted columns; a gap counts as the middle."""
    found = np.full(values.shape, 0.5)
    for column, of, among in zip(found.T, values.T, order.T, strict=True):
        known, count = ~np.isnan(of), int((~np.isnan(among)).sum())
        if count:
            low = np.searchsorted(among[:count], of[known], "left")
            high = np.searchsorted(among[:count], of[known], "right")
            column[known] = (low + high) / (2 * count)
    return found


def _squared(a: Array, b: Array) -> Array:
    found: Array = (a * a).sum(axis=1)[:, None] + (b * b).sum(axis=1) - 2 * a @ b.T
    return found
