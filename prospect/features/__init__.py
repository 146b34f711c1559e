"""Features: operations on layers, recipes of them, and the builder that runs recipes."""

from prospect.features.builder import FeatureBuilder
from prospect.features.focal import focal_mean, focal_std
from prospect.features.local import log, one_hot, robust_z, value
from prospect.features.operation import Operation, get_operation, operation, operations
from prospect.features.potential_field import horizontal_gradient
from prospect.features.proximity import (
    distance_to,
    distance_to_classes,
    proximity,
    proximity_to_classes,
)
from prospect.features.recipe import FeatureSpec, Recipe

__all__ = [
    "FeatureBuilder",
    "FeatureSpec",
    "Operation",
    "Recipe",
    "distance_to",
    "distance_to_classes",
    "focal_mean",
    "focal_std",
    "get_operation",
    "horizontal_gradient",
    "log",
    "one_hot",
    "operation",
    "operations",
    "proximity",
    "proximity_to_classes",
    "robust_z",
    "value",
]
