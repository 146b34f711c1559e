"""A predictor, which takes blocks, asked about a table of cells."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from prospect.inference import Predictor


def cell_scores(predictor: Predictor, features: NDArray[np.float32]) -> NDArray[np.float64]:
    """Scores of cells of shape (n, k), folded into rows so that patches are full."""
    count, rows = len(features), 8
    block = np.full((features.shape[1], rows * -(-count // rows)), np.nan, np.float32)
    block[:, :count] = features.T
    valid = np.arange(block.shape[1]) < count
    shape = (rows, -1)
    found = predictor.predict(block.reshape(len(block), *shape), valid.reshape(shape))
    return found.ravel()[:count]
