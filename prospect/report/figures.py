"""Figures of the report: those of ``prospect.plots``, in the page's language, as SVG."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from prospect import plots
from prospect.metrics import (
    prediction_area,
    prediction_area_point,
    prediction_rate,
    reliability,
)
from prospect.model import Model
from prospect.report.language import translated

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_SETTINGS: Any = {"svg.fonttype": "none", "svg.hashsalt": "prospect", "font.family": "sans-serif"}


def model_figures(model: Model, baselines: pd.DataFrame | None) -> Iterator[tuple[str, Figure]]:
    """
    What can be drawn of a model's held-out scores.

    Parameters
    ----------
    model : Model
    baselines : DataFrame or None
        Of a validation: a row a baseline.

    Yields
    ------
    name, Figure
        Nothing where the model was not put to the test.
    """
    kept = {name: np.asarray(values) for name, values in model.samples.items()}
    score = kept["score"].astype(float)
    tested = np.isfinite(score)
    found, area = tested & (kept["label"] == 1), tested & (kept["label"] == -1)
    if not found.any() or not area.any():
        return
    ours = score[found], score[area]
    honest = model.measures
    if len(honest):
        honest = honest[honest["folds"] == honest["folds"].iloc[0]]
    curves = {"held out, in blocks": prediction_rate(*ours)}
    yield "rates", plots.plot_rates(curves, measures=honest if len(honest) else None)
    point = prediction_area_point(*ours)
    yield "prediction_area", plots.plot_prediction_area(prediction_area(*ours), point)
    yield "reliability", plots.plot_reliability(reliability(*ours))
    if baselines is not None and len(baselines):
        told = model.measures[model.measures["measure"] == "auc"]
        yield "baselines", plots.plot_comparison(baselines, float(told["value"].iloc[0]))
    fold = kept["fold"].astype(np.int64)
    shown = tested & (fold >= 0)
    yield (
        "folds",
        plots.plot_folds(np.column_stack([kept["x"], kept["y"]])[shown], found[shown], fold[shown]),
    )


def as_image(figure: Figure, words: Mapping[str, str]) -> str:
    """
    A figure as an SVG in a data URI, its texts in the page's language.

    Parameters
    ----------
    figure : Figure
    words : mapping of text drawn to text wanted
        With ``{names}`` where a text has values.
    """
    from matplotlib import rc_context
    from matplotlib.text import Text

    for text in figure.findobj(Text):
        text.set_text(translated(text.get_text(), words))
    stream = io.BytesIO()
    with rc_context(_SETTINGS):
        figure.savefig(stream, format="svg", metadata={"Date": None, "Creator": None})
    return "data:image/svg+xml;base64," + base64.b64encode(stream.getvalue()).decode("ascii")
