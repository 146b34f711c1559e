"""Figures, returned and not shown; matplotlib is loaded when one is drawn."""

from prospect.plots.explanation import plot_dependence, plot_importance
from prospect.plots.maps import plot_map, plot_stack
from prospect.plots.validation import (
    plot_comparison,
    plot_folds,
    plot_prediction_area,
    plot_rates,
    plot_reliability,
)

__all__ = [
    "plot_comparison",
    "plot_dependence",
    "plot_folds",
    "plot_importance",
    "plot_map",
    "plot_prediction_area",
    "plot_rates",
    "plot_reliability",
    "plot_stack",
]
