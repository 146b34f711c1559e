"""What classifiers of deposits against background have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from prospect.models._bases import reads_gaps


class TwoClasses(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A classifier of two classes that takes gaps; heirs set ``classes_`` when they are fitted."""

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.classifier_tags.multi_class = False
        return tags

    def predict(self, X: Any) -> NDArray[Any]:
        """The second class where its score is above one half."""
        return self._classes_where(self.predict_proba(X)[:, 1] > 0.5)

    def _classes_where(self, likely: NDArray[np.bool_]) -> NDArray[Any]:
        predicted: NDArray[Any] = self.classes_[likely.astype(np.int64)]
        return predicted


class Wrapper(TwoClasses, ABC):
    """A classifier around another, whose taste in gaps it shares; heirs name a default."""

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = reads_gaps(self._base())
        return tags

    def _base(self) -> Any:
        return self._default() if self.estimator is None else self.estimator

    @abstractmethod
    def _default(self) -> Any:
        """The classifier to wrap where none is given."""

    def _to_learn(self, X: Any, y: Any) -> tuple[NDArray[Any], NDArray[Any]]:
        """Features and labels to fit to, checked."""
        found: tuple[NDArray[Any], NDArray[Any]] = validate_data(self, X, y, **self._taken())
        return found

    def _to_score(self, X: Any) -> NDArray[Any]:
        """Features to score, checked."""
        check_is_fitted(self)
        found: NDArray[Any] = validate_data(self, X, reset=False, **self._taken())
        return found

    def _taken(self) -> dict[str, Any]:
        gaps = "allow-nan" if reads_gaps(self._base()) else True
        return {"dtype": [np.float64, np.float32], "ensure_all_finite": gaps}
