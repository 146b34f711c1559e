"""What the estimators of this package ask of their input, in one place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.multiclass import check_classification_targets

from prospect.errors import ModelError

SIGNS = ("+", "-", "0", "∩")


def require_two_classes(y: Any) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """
    The classes of labels, and which rows are of the second, the deposits.

    Raises
    ------
    ModelError
        If there are not two classes.
    """
    check_classification_targets(y)
    classes, code = np.unique(y, return_inverse=True)
    if len(classes) > 2:
        raise ModelError(
            f"Only binary classification is supported: deposits and background were expected, "
            f"but {len(classes)} classes came."
        )
    if len(classes) < 2:
        raise ModelError(
            f"Deposits and background were expected, but only one class came ({classes[0]})."
        )
    return classes, code == 1


def require_signs(signs: Sequence[str] | None, features: int, default: str) -> list[str]:
    """
    A sign for every feature.

    Raises
    ------
    ModelError
        If their number or one of them is wrong.
    """
    if signs is None:
        return [default] * features
    found = [str(sign) for sign in signs]
    if len(found) != features:
        raise ModelError(f"A sign for each of {features} features was expected, not {len(found)}.")
    wrong = next((sign for sign in found if sign not in SIGNS), None)
    if wrong is not None:
        raise ModelError(f"A sign is one of {', '.join(SIGNS)}, but '{wrong}' came.")
    return found
