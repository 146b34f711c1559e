"""Cases in synthetic worlds: samples of a commodity, and the truth at them."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from prospect.commodities import load_commodity
from prospect.features import FeatureBuilder
from prospect.grid import Grid
from prospect.ground import Ground
from prospect.labels import read_labels
from prospect.matching import bind
from prospect.metrics import auc, capture_at
from prospect.project import load_project
from prospect.samples import Samples, draw_samples, ground_mask, on_ground
from prospect.stack import open_stack
from prospect.synthetic import Region, make_region, write_region
from prospect.vector import read_points

# Lines are read again from their files when features are built.
_FOLDERS = tempfile.TemporaryDirectory()


@dataclass(frozen=True, eq=False)
class Case:
    """
    A commodity in a world.

    Attributes
    ----------
    samples : Samples
    expected : array of shape (n,)
        Deposits expected in the cells of the samples; NaN where the truth is not defined.
    names, signs : list of str
        Of the features.
    reach : float, metres
        Of the largest focal window.
    """

    samples: Samples
    expected: NDArray[np.float64]
    names: list[str]
    signs: list[str]
    reach: float

    @property
    def area(self) -> NDArray[np.bool_]:
        """The cells that the truth is measured by."""
        return (self.samples.kind == -1) & np.isfinite(self.expected)


def open_world(
    seed: int, kind: str = "ordinary", *, realisations: int = 1, **settings: object
) -> tuple[Region, xr.Dataset, pd.DataFrame]:
    """A region, its stack in memory, and what is known of the deposits of its realisations."""
    tables = []
    for number in reversed(range(realisations)):
        region = make_region(seed, kind=kind, realisation=number, **settings)
        folder = Path(tempfile.mkdtemp(dir=_FOLDERS.name))
        write_region(region, folder)
        project = load_project(folder)
        tables.append(read_points(project.occurrences.path, crs=project.occurrences.crs))
    return region, open_stack(project).load(), pd.concat(tables, ignore_index=True)


def case_of(
    region: Region,
    stack: xr.Dataset,
    occurrences: pd.DataFrame,
    commodity: str,
    *,
    deposits: int | None = None,
    **draw: int,
) -> Case:
    """Samples of a commodity; of some of its known deposits, if a number is given."""
    definition = load_commodity(commodity)
    labels = read_labels(occurrences, definition, region.grid)
    builder = FeatureBuilder(definition.recipe).fit(stack)
    counts = ground_mask(stack, Ground(), bind(builder.layers_, stack))
    labels = on_ground(labels, counts)
    if deposits is not None:
        rng = np.random.default_rng([region.seed, deposits])
        chosen = rng.permutation(labels.deposits)[:deposits]
        labels = labels.where(np.isin(labels.group, chosen), "not drawn")
    samples = draw_samples(builder, stack, labels, counts, **draw)
    row, col, _ = Grid.of(stack).index(samples.x, samples.y)
    expected = region.truth.intensity[commodity].to_numpy().astype(float)[row, col]
    return Case(samples, expected, builder.feature_names, builder.signs, builder.reach())


def truth_auc(score: NDArray[np.float64], expected: NDArray[np.float64]) -> float:
    """AUC where deposits are as likely as the truth has it: no draw of deposits in it."""
    return float(auc(score, score, expected))


def truth_capture(score: NDArray[np.float64], expected: NDArray[np.float64]) -> float:
    """Share of the expected deposits in the best 5 % of ground."""
    return float(capture_at(0.05)(score, score, expected))
