"""The verdict in words: better than which baseline, by how much, how certainly."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from prospect.metrics.intervals import rows_of

SURE = 0.95
LIKELY = 0.80
BETTER, PROBABLY = "better than", "probably better than"

DISTANCE = "distance to the nearest known deposit"


def verdict(differences: pd.DataFrame) -> list[str]:
    """
    Sentences for people.

    Parameters
    ----------
    differences : DataFrame
        A row a baseline, from :func:`prospect.metrics.differences` of AUC: columns value,
        difference, low, high, certainty.

    Returns
    -------
    list of str
        The judgement first, then a line a baseline.
    """
    lines = [_judgement(differences)]
    for name, row in rows_of(differences):
        lines.append(
            f"{_word(row)} {name} (AUC {row['value']:.2f}): "
            f"{row['difference']:+.2f} in AUC ({row['low']:+.2f} to {row['high']:+.2f}; ahead in "
            f"{100 * row['certainty']:.0f} of 100 redraws of the ground)"
        )
    return lines


def _judgement(table: pd.DataFrame) -> str:
    words = {name: _word(row) for name, row in rows_of(table)}
    beaten = [name for name, word in words.items() if word == BETTER]
    others = [name for name in words if name not in beaten]
    if DISTANCE in others:
        start = "Not shown to beat" if words[DISTANCE] == PROBABLY else "Useless: it does not beat"
        return f"{start} the {DISTANCE} under these folds."
    if not others:
        return "Better than every baseline, for certain."
    if not beaten:
        return "Better than no baseline, for certain."
    return f"Better for certain than {_listed(beaten)}; not for certain than {_listed(others)}."


def _word(row: Mapping[str, float]) -> str:
    """Sure is what redraws and interval both say."""
    certainty = row["certainty"]
    if certainty >= SURE and row["low"] > 0:
        return BETTER
    if certainty >= LIKELY:
        return PROBABLY
    if certainty > 1 - LIKELY:
        return "not to be told from"
    return "worse than" if certainty <= 1 - SURE and row["high"] < 0 else "probably worse than"


def _listed(names: list[str]) -> str:
    if len(names) == 1:
        return names[0]
    return f"{', '.join(names[:-1])} and {names[-1]}"
