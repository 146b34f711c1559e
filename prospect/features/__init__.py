"""Features: operations on layers, recipes of them, and the builder that runs recipes."""

from prospect.features.builder import FeatureBuilder
from prospect.features.distance import (
    distance_to,
    distance_to_classes,
    line_density,
    point_density,
    proximity,
    proximity_to_classes,
    signed_distance_to_classes,
)
from prospect.features.focal import (
    focal_max,
    focal_mean,
    focal_min,
    focal_range,
    focal_statistics,
    focal_std,
    local_z,
    share_above,
    valid_count,
)
from prospect.features.focal_rank import (
    class_entropy,
    class_majority,
    focal_median,
    focal_percentile,
)
from prospect.features.local import log, one_hot, robust_z, value
from prospect.features.operation import Operation, get_operation, operation, operations
from prospect.features.potential_field import horizontal_gradient
from prospect.features.recipe import FeatureSpec, Recipe
from prospect.features.smoothing import difference_of_gaussians, gaussian
from prospect.features.terrain import (
    aspect,
    eastness,
    hillshade,
    northness,
    plan_curvature,
    profile_curvature,
    roughness,
    ruggedness,
    slope,
    terrain_derivatives,
    topographic_position,
    total_curvature,
    vector_ruggedness,
)

__all__ = [
    "FeatureBuilder",
    "FeatureSpec",
    "Operation",
    "Recipe",
    "aspect",
    "class_entropy",
    "class_majority",
    "difference_of_gaussians",
    "distance_to",
    "distance_to_classes",
    "eastness",
    "focal_max",
    "focal_mean",
    "focal_median",
    "focal_min",
    "focal_percentile",
    "focal_range",
    "focal_statistics",
    "focal_std",
    "gaussian",
    "get_operation",
    "hillshade",
    "horizontal_gradient",
    "line_density",
    "local_z",
    "log",
    "northness",
    "one_hot",
    "operation",
    "operations",
    "plan_curvature",
    "point_density",
    "profile_curvature",
    "proximity",
    "proximity_to_classes",
    "robust_z",
    "roughness",
    "ruggedness",
    "share_above",
    "signed_distance_to_classes",
    "slope",
    "terrain_derivatives",
    "topographic_position",
    "total_curvature",
    "valid_count",
    "value",
    "vector_ruggedness",
]
