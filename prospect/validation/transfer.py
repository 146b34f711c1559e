"""How unlike a region is that a model has not seen: the shift of every feature."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import ks_2samp

from prospect.samples import Samples


def feature_shift(samples: Samples, splitter: Any, names: Sequence[str]) -> pd.DataFrame:
    """
    How every feature of a region held out differs from where was learnt.

    Parameters
    ----------
    samples : Samples
        Only its measured ground is compared, which was drawn evenly.
    splitter : splitter
        Called with ``split(features, y, coordinates)``; a region a fold.
    names : sequence of str
        Of the features.

    Returns
    -------
    DataFrame
        Columns region (from 1, in the order of the folds), feature, shift (difference of the
        means in standard deviations of the training ground, + where the region is higher), ks
        (the largest difference of the two distributions, from 0 to 1) and gaps (difference of
        the shares without a value); the largest ks first. NaN where either has no value.
    """
    positive = (samples.kind == 1).astype(np.int64)
    area = samples.kind == -1
    rows: list[dict[str, Any]] = []
    splits = splitter.split(samples.features, positive, samples.coordinates)
    for region, (learnt, held) in enumerate(splits, start=1):
        here, there = samples.features[held[area[held]]], samples.features[learnt[area[learnt]]]
        for column, name in enumerate(names):
            shift, ks = _differ(here[:, column], there[:, column])
            gaps = np.isnan(here[:, column]).mean() - np.isnan(there[:, column]).mean()
            rows.append(
                {"region": region, "feature": name, "shift": shift, "ks": ks, "gaps": float(gaps)}
            )
    columns = ["region", "feature", "shift", "ks", "gaps"]
    table = pd.DataFrame(rows, columns=columns)
    return table.sort_values("ks", ascending=False, kind="stable", ignore_index=True)


def shift_lines(table: pd.DataFrame, most: int) -> list[str]:
    """The largest shifts, a line each, for people."""
    lines = [
        f"region {row['region']}: {row['feature']} {row['shift']:+.1f} standard deviations, "
        f"distributions apart by {row['ks']:.2f}"
        for row in table.dropna(subset="ks").head(most).to_dict("records")
    ]
    if len(table) > most:
        lines.append(f"and {len(table) - most} rows more, in validation.json")
    return lines


def _differ(here: NDArray[np.float32], there: NDArray[np.float32]) -> tuple[float, float]:
    """Standardised difference of the means, and the Kolmogorov–Smirnov distance."""
    here, there = here[~np.isnan(here)], there[~np.isnan(there)]
    if not here.size or not there.size:
        return float("nan"), float("nan")
    spread = float(there.std(dtype=np.float64))
    apart = float(here.mean(dtype=np.float64) - there.mean(dtype=np.float64))
    shift = apart / spread if spread > 0 else float("nan")
    return shift, float(ks_2samp(here, there, method="asymp").statistic)
