"""Words of surveys: commodities, standings and ages in Russian, English, Tajik and Kyrgyz."""

from prospect.lexicon.ages import Age, read_age
from prospect.lexicon.words import (
    Standing,
    commodity_words,
    layer_word,
    named_commodities,
    placer_words,
    says,
    standing_of,
    structure_of,
)

__all__ = [
    "Age",
    "Standing",
    "commodity_words",
    "layer_word",
    "named_commodities",
    "placer_words",
    "read_age",
    "says",
    "standing_of",
    "structure_of",
]
