"""
Mineral prospectivity: from layers and known deposits to a map that can be trusted.

The public names load when they are first used, so that importing is quick.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from prospect._version import __version__
from prospect.errors import ProspectError

if TYPE_CHECKING:
    from prospect.commodities import load_commodity
    from prospect.features import FeatureBuilder, Recipe
    from prospect.folds import BlockFolds
    from prospect.grid import Grid, Window
    from prospect.model import Model, load_model
    from prospect.project import load_project
    from prospect.scoring import score
    from prospect.stack import open_stack, vector_layer
    from prospect.training import train
    from prospect.validation import Validation, validate

_HOMES = {
    "BlockFolds": "folds",
    "FeatureBuilder": "features",
    "Grid": "grid",
    "Model": "model",
    "Recipe": "features",
    "Validation": "validation",
    "Window": "grid",
    "load_commodity": "commodities",
    "load_model": "model",
    "load_project": "project",
    "open_stack": "stack",
    "score": "scoring",
    "train": "training",
    "validate": "validation",
    "vector_layer": "stack",
}

__all__ = [
    "BlockFolds",
    "FeatureBuilder",
    "Grid",
    "Model",
    "ProspectError",
    "Recipe",
    "Validation",
    "Window",
    "__version__",
    "load_commodity",
    "load_model",
    "load_project",
    "open_stack",
    "score",
    "train",
    "validate",
    "vector_layer",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(f"prospect.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'prospect' has no attribute '{name}'")


def __dir__() -> list[str]:
    return __all__
