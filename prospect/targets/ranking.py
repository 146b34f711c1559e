"""Zones of high scores become targets: ranked, measured, and told apart by experience."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray
from pyproj import Transformer
from scipy.spatial import KDTree
from scipy.stats import nbinom, poisson

from prospect.errors import ModelError
from prospect.grid import Grid, Window
from prospect.map_file import MapFile, open_map
from prospect.metrics import prediction_area_point
from prospect.model import Model
from prospect.raster import polygons
from prospect.targets.cells import Cells, choose, score_at_share, zones
from prospect.vector import frame

AREA = 0.05
"""Share of the ground that targets take, unless a threshold is given: that of the headline
capture, which so says how many deposits to hope for in it."""

MINIMUM = 1e6
"""Square metres of the smallest target: less cannot be found again on the ground."""

INSIDE, KNOWN, OUTSIDE = "targets", "around known deposits", "outside experience"
LISTS = (INSIDE, KNOWN, OUTSIDE)
"""In the order they are told."""

AROUND = 1_000.0
"""Metres from a known deposit within which a zone is around it: one of satellites (METHODS)."""

APPLICABLE = "applicable"
_TOLD = ("spread", "dissimilarity")
_LEADING = 2


def find_targets(
    scored: MapFile | Path | str,
    model: Model | None = None,
    *,
    area: float | None = None,
    threshold: float | None = None,
    at_prediction_area: bool = False,
    minimum: float = MINIMUM,
) -> Any:
    """
    Rank the zones of a map that score highest.

    Cells that reach the threshold and touch, sides or corners, are a zone. Zones are ranked
    by the sum of their scores, in three lists: new ground; zones around known deposits, whose
    scores the model has learnt from those very cells; and ground unlike any the model knows.

    Parameters
    ----------
    scored : MapFile or path
        From ``prospect score``.
    model : Model, optional
        For the distance to known deposits, and whose map evidence is.
    area : float, optional
        Share of the ground to take, from 0 to 1; 0.05 by default.
    threshold : float, optional
        Score to reach, instead.
    at_prediction_area : bool
        Take the ground at which the prediction–area curves of the model cross, instead.
    minimum : float, square metres
        Smaller zones are left out.

    Returns
    -------
    GeoDataFrame
        A row a target: rank (in its list), list ('targets', 'around known deposits',
        'outside experience'), area_km2, share (of
        the sum of all scores), peak, mean, x, y (of the peak), lon, lat; spread,
        dissimilarity (means) and drivers where the map has them; nearest_km with a model;
        expected, expected_low, expected_high, expected_by where scores are probabilities.
        ``attrs`` say threshold, valid and total.

    Raises
    ------
    ModelError
        If more than one way to choose ground is given, or a share is none.
    LayerError
        If the map is none.
    """
    opened = scored if isinstance(scored, MapFile) else open_map(scored)
    band = "probability" if "probability" in opened else "likelihood"
    limit = _threshold(opened, band, model, area, threshold, at_prediction_area)
    inside = APPLICABLE if APPLICABLE in opened else None
    chosen = choose(opened, band, limit, inside)
    zone = zones(chosen, opened.grid.cols)
    cell = opened.grid.cell.dx * opened.grid.cell.dy
    size = np.bincount(zone)
    kept = np.flatnonzero(size * cell >= minimum) if size.size else np.empty(0, np.int64)
    if kept.size == 0:
        return _framed([], [], opened.grid, limit, chosen.valid, chosen.total)
    order = np.argsort(zone, kind="stable")
    bounds = np.searchsorted(zone[order], np.arange(size.size + 1))
    sums = np.bincount(zone, chosen.score)
    # Equal sums, as level maps have, go by place.
    ranked = sorted(kept, key=lambda k: (-sums[k], int(order[bounds[k]])))
    known = _known(model)
    found: dict[str, list[tuple[dict[str, Any], Any]]] = {name: [] for name in LISTS}
    for k in ranked:
        cells = order[bounds[k] : bounds[k + 1]]
        row, col, score = chosen.row[cells], chosen.col[cells], chosen.score[cells]
        nearest = _nearest(known, opened.grid, row, col)
        name = INSIDE if chosen.inside[cells[0]] else OUTSIDE
        if nearest <= AROUND:
            name = KNOWN
        best = int(np.argmax(score))
        x, y = float(opened.grid.x[col[best]]), float(opened.grid.y[row[best]])
        told = {
            "rank": len(found[name]) + 1,
            "list": name,
            "area_km2": cells.size * cell / 1e6,
            "share": float(score.sum()) / chosen.total if chosen.total else 0.0,
            "peak": float(score[best]),
            "mean": float(score.mean()),
            "x": x,
            "y": y,
            **_degrees(opened.grid, x, y),
            **_bands(opened, row, col, score, model),
        }
        if known is not None:
            told["nearest_km"] = nearest / 1000
        if band == "probability":
            told |= expected(float(score.sum()), *prior_doubt(model))
        found[name].append((told, _outline(opened.grid, row, col)))
    listed = [each for name in LISTS for each in found[name]]
    rows, shapes = [told for told, _ in listed], [shape for _, shape in listed]
    return _framed(rows, shapes, opened.grid, limit, chosen.valid, chosen.total)


def expected(total: float, doubt: float = 0.0, by: str = "") -> dict[str, Any]:
    """
    Deposits to expect of a sum of probabilities, and an interval of 90 %.

    Parameters
    ----------
    total : float
        The sum: the mean number of deposits.
    doubt : float
        Variance of that mean over its square: of the prior, of the draws of the model.
    by : str
        What that is of.

    Returns
    -------
    dict
        expected; expected_low and expected_high, between which the number lies: Poisson where
        the mean is certain, else negative binomial, the mixture of Poissons whose mean is
        gamma distributed [1]_; expected_by, what the interval covers.

    References
    ----------
    .. [1] Greenwood and Yule (1920). An inquiry into the nature of frequency distributions
       representative of multiple happenings. Journal of the Royal Statistical Society 83(2).
    """
    low, high = 0.0, 0.0
    if total > 0 and doubt > 0:
        low, high = nbinom.interval(0.9, 1 / doubt, 1 / (1 + doubt * total))
    elif total > 0:
        low, high = poisson.interval(0.9, total)
    return {
        "expected": total,
        "expected_low": float(low),
        "expected_high": float(high),
        "expected_by": f"chance and {by}" if doubt > 0 else "chance alone",
    }


def prior_doubt(model: Model | None) -> tuple[float, str]:
    """What :func:`expected` takes of a model's prior."""
    if model is None or model.prior is None:
        return 0.0, ""
    return model.prior.relative_variance, "prior"


def _threshold(
    scored: MapFile,
    band: str,
    model: Model | None,
    area: float | None,
    threshold: float | None,
    at_prediction_area: bool,
) -> float:
    if (area is not None) + (threshold is not None) + at_prediction_area > 1:
        raise ModelError(
            "An area, a threshold and the prediction–area point each choose the ground: give one."
        )
    if threshold is not None:
        return threshold
    share = AREA if area is None else area
    if at_prediction_area:
        share = _crossing(model)
    if not 0 < share <= 1:
        raise ModelError(f"The area to take is a share from 0 to 1, but {share:g} came.")
    return score_at_share(scored, band, share)


def _crossing(model: Model | None) -> float:
    """The share of the ground at which the prediction–area curves of held-out scores cross."""
    if model is not None:
        score = np.asarray(model.samples["score"], float)
        label = np.asarray(model.samples["label"])
        found, area = (np.isfinite(score) & (label == k) for k in (1, -1))
        if found.any() and area.any():
            return float(prediction_area_point(score[found], score[area])["area"])
    raise ModelError(
        "The prediction–area point needs a model that was put to the test on held-out ground: "
        "give one, or an area."
    )


def _known(model: Model | None) -> KDTree | None:
    if model is None:
        return None
    deposit = np.asarray(model.samples["label"]) == 1
    if not deposit.any():
        return None
    return KDTree(np.column_stack([model.samples["x"], model.samples["y"]])[deposit])


def _nearest(known: KDTree | None, grid: Grid, row: Cells, col: Cells) -> float:
    """Metres from the nearest cell of a zone to a known deposit; infinity where none is."""
    if known is None:
        return float("inf")
    return float(known.query(np.column_stack([grid.x[col], grid.y[row]]))[0].min())


def _bands(
    scored: MapFile, row: Cells, col: Cells, score: NDArray[np.float64], model: Model | None
) -> dict[str, Any]:
    """What the other bands say of a zone."""
    window = _window(row, col)
    here = row - window.row, col - window.col
    told: dict[str, Any] = {}
    for name in _TOLD:
        if name in scored:
            values = scored.read(name, window)[here]
            told[name] = float(np.nanmean(values)) if np.isfinite(values).any() else float("nan")
    if "driver" in scored:
        values = scored.read("driver", window)[here]
        labels = scored.classes["driver"]
        weight = np.bincount(values[values >= 0], score[values >= 0], minlength=len(labels))
        leading = [k for k in np.argsort(-weight, kind="stable")[:_LEADING] if weight[k] > 0]
        whose = {} if model is None else dict(model.record.get("inputs", {}))
        told["drivers"] = "; ".join(_with_source(labels[k], whose) for k in leading)
    return told


def _with_source(evidence: str, inputs: Mapping[str, Any]) -> str:
    """Evidence with whose map it is and of which year, where that is known."""
    told = [
        text
        for name, each in inputs.items()
        if evidence in (name, each.get("role"))
        for text in _source(each)
    ]
    unique = list(dict.fromkeys(told))
    return f"{evidence} ({', '.join(unique)})" if unique else evidence


def _source(told: Mapping[str, Any]) -> list[str]:
    scale, vintage = told.get("source_scale"), told.get("vintage")
    return [*([f"1:{scale:,.0f}"] if scale else []), *([str(vintage)] if vintage else [])]


def _window(row: Cells, col: Cells) -> Window:
    top, left = int(row.min()), int(col.min())
    return Window(top, left, int(row.max()) - top + 1, int(col.max()) - left + 1)


def _outline(grid: Grid, row: Cells, col: Cells) -> Any:
    window = _window(row, col)
    cells = np.zeros((window.height, window.width), np.int32)
    cells[row - window.row, col - window.col] = 1
    found = polygons(cells, grid.crop(window), mask=cells == 1)
    return shapely.union_all([geometry for geometry, _ in found])


def _degrees(grid: Grid, x: float, y: float) -> dict[str, float]:
    if grid.crs.is_engineering:
        return {}
    to_degrees = Transformer.from_crs(grid.crs, "EPSG:4326", always_xy=True)
    lon, lat = to_degrees.transform(x, y)
    return {"lon": round(float(lon), 6), "lat": round(float(lat), 6)}


def _framed(
    rows: list[dict[str, Any]],
    shapes: list[Any],
    grid: Grid,
    threshold: float,
    valid: int,
    total: float,
) -> Any:
    first = ("rank", "list", "area_km2", "share", "peak", "mean")
    table = pd.DataFrame(rows, columns=None if rows else list(first))
    made = frame({name: table[name] for name in table.columns}, shapes, grid.crs)
    made.attrs.update(threshold=threshold, valid=valid, total=total)
    return made
