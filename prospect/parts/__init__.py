"""What predictors are made of: trees, sums of evidence, and the ensembles of them."""

from prospect.parts.ensembles import Bag, Boosting, Forest, Ranked, Square
from prospect.parts.part import Groups, Part, Scores
from prospect.parts.sums import Lines, MeanLine, Memberships, Steps
from prospect.parts.wrapped import Calibrated, Capped, Encoded, Encoding, Foreign

__all__ = [
    "Bag",
    "Boosting",
    "Calibrated",
    "Capped",
    "Encoded",
    "Encoding",
    "Foreign",
    "Forest",
    "Groups",
    "Lines",
    "MeanLine",
    "Memberships",
    "Part",
    "Ranked",
    "Scores",
    "Square",
    "Steps",
]
