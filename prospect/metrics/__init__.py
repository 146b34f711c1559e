"""Measures of a map against deposits it was not shown, with honest intervals."""

from prospect.metrics.curves import (
    prediction_area,
    prediction_area_point,
    prediction_rate,
    success_rate,
)
from prospect.metrics.intervals import bootstrap, differences, summarise
from prospect.metrics.ranking import (
    AREAS,
    auc,
    average_precision_lift,
    boyce,
    capture,
    capture_at,
    normalised_density,
)
from prospect.metrics.reliability import (
    brier_skill,
    expected_calibration_error,
    reliability,
)
from prospect.metrics.tally import Measure, Scores, Tally, tally

__all__ = [
    "AREAS",
    "Measure",
    "Scores",
    "Tally",
    "auc",
    "average_precision_lift",
    "bootstrap",
    "boyce",
    "brier_skill",
    "capture",
    "capture_at",
    "differences",
    "expected_calibration_error",
    "normalised_density",
    "prediction_area",
    "prediction_area_point",
    "prediction_rate",
    "reliability",
    "success_rate",
    "summarise",
    "tally",
]
