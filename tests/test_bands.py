"""Bands of a map: what a model says of every cell."""

import numpy as np

from prospect.bands import Band


def test_gaps_follow_the_kind_of_band():
    numbers, classes = Band("spread", "…"), Band("driver", "…", classes=("faults", "assays"))
    assert np.isnan(numbers.empty((2, 3))).all()
    assert numbers.empty((2, 3)).dtype == np.float32
    assert (classes.empty((2, 3)) == 255).all()
    assert classes.empty((2, 3)).dtype == np.uint8
