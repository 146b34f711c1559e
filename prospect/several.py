"""Several commodities over one stack: trained together, and where they overlap."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from prospect.bands import CLASS_GAP, Band
from prospect.commodities import Commodity, load_commodity
from prospect.errors import ModelError
from prospect.features.sharing import fit_together
from prospect.model import Model
from prospect.own import with_own_rows
from prospect.progress import Progress, silent
from prospect.project import OccurrenceSpec
from prospect.training import train

LIKELY = 0.05
"""Ground is likely for a commodity in this share of the map that scores highest."""


def train_several(
    stack: xr.Dataset,
    occurrences: OccurrenceSpec | Path | str | pd.DataFrame | None,
    commodities: Sequence[str | Path | Commodity],
    *,
    progress: Progress = silent,
    **options: Any,
) -> dict[str, Model]:
    """
    Learn where several commodities are likely, from the same layers.

    Rows that commodities share are learnt from the layers once.

    Parameters
    ----------
    stack : Dataset of dims (y, x)
    occurrences : path, GeoDataFrame or OccurrenceSpec
        One table of all; each commodity takes its own rows.
    commodities : sequence of str or path
        As :func:`prospect.training.train` takes one.
    progress : callable
    **options
        Of :func:`prospect.training.train`; each of several writes a table of rejects of its
        own, with its name behind the file's.

    Returns
    -------
    dict of name to Model
        What training each alone makes.

    Raises
    ------
    ModelError
        If a commodity comes twice, or none.
    ProspectError
        As training does.
    """
    deposit_type = options.pop("deposit_type", None)
    definitions = [load_commodity(each, deposit_type) for each in commodities]
    if not definitions:
        raise ModelError("Name at least one commodity: none came.")
    names = [each.name for each in definitions]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ModelError(f"'{twice}' is asked for twice: name every commodity once.")
    with progress("Learning the layers' statistics"):
        _, builders = fit_together(
            [with_own_rows(each.recipe, stack) for each in definitions], stack
        )
    rejects = options.pop("rejects", None)
    models = {}
    for each, builder in zip(definitions, builders, strict=True):
        path = rejects
        if rejects is not None and len(names) > 1:
            path = Path(rejects).with_stem(f"{Path(rejects).stem}-{each.name}")
        models[each.name] = train(
            stack,
            occurrences,
            each,
            builder=builder,
            rejects=path,
            progress=progress,
            **options,
        )
    return models


def overlap_band(names: Sequence[str]) -> Band:
    """The band of classes that :func:`overlap` fills: none, each commodity, each pair, ..."""
    return Band(
        "overlap",
        f"which of {', '.join(names)} are likely, each where its map scores highest",
        classes=tuple(_told(names, code) for code in range(2 ** len(names))),
    )


def overlap(
    likelihoods: Mapping[str, NDArray[np.float32]], *, share: float = LIKELY
) -> tuple[Band, NDArray[np.uint8]]:
    """
    Where several commodities are likely at once, such as antimony and gold.

    Scores of two models are on no common scale, so that each map is cut by its own best
    ground.

    Parameters
    ----------
    likelihoods : mapping of name to array of shape (y, x)
        NaN where the ground does not count.
    share : float
        Of the ground of each map, the highest part that is called likely.

    Returns
    -------
    band : Band
        With the names of the classes.
    classes : array of shape (y, x), uint8
        0 none; then bit by bit in the order of the names. 255 where no map has a value; a
        commodity whose own map has none there is not likely there.

    Raises
    ------
    ModelError
        If there are fewer than two maps or more than seven, or their shapes differ.
    """
    names = list(likelihoods)
    if not 2 <= len(names) <= 7:
        raise ModelError(f"Between two and seven maps can overlap, but {len(names)} came.")
    shapes = {np.shape(each) for each in likelihoods.values()}
    if len(shapes) > 1:
        raise ModelError(f"Maps that overlap are on one grid, but shapes {sorted(shapes)} came.")
    if not 0 < share < 1:
        raise ModelError(f"A share of the ground lies between 0 and 1, but {share:g} came.")
    classes = np.zeros(shapes.pop(), np.uint8)
    known = np.zeros(classes.shape, bool)
    for bit, values in enumerate(likelihoods.values()):
        valid = np.isfinite(values)
        known |= valid
        if valid.any():
            cut = np.quantile(values[valid], 1 - share)
            # Of a map whose best ground is one tie, only what rises above the rest is likely.
            likely = valid & (values >= cut) & (values > np.min(values[valid]))
            classes[likely] |= np.uint8(1 << bit)
    classes[~known] = CLASS_GAP
    return overlap_band(names), classes


def _told(names: Sequence[str], code: int) -> str:
    likely = [name for bit, name in enumerate(names) if code >> bit & 1]
    return " and ".join(likely) or "none"
