"""The verdict in words: better than which baseline, by how much, how certainly."""

from __future__ import annotations

import pandas as pd

from prospect.metrics.intervals import rows_of

SURE = 0.95
LIKELY = 0.80

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
            f"{_word(row['certainty'])} {name} (AUC {row['value']:.2f}): "
            f"{row['difference']:+.2f} in AUC ({row['low']:+.2f} to {row['high']:+.2f}; ahead in "
            f"{100 * row['certainty']:.0f} of 100 redraws of the ground)"
        )
    return lines


def _judgement(table: pd.DataFrame) -> str:
    certain = {name: float(row["certainty"]) for name, row in rows_of(table)}
    if certain.get(DISTANCE, 1.0) < SURE:
        return (
            "Useless until it surely beats the distance to the nearest known deposit: so far it "
            f"is {_word(certain[DISTANCE])} it."
        )
    beaten = [name for name, share in certain.items() if share >= SURE]
    others = [name for name in certain if name not in beaten]
    if not others:
        return "Better than every baseline, for certain."
    if not beaten:
        return "Better than no baseline, for certain."
    return f"Better for certain than {_listed(beaten)}; not for certain than {_listed(others)}."


def _word(certainty: float) -> str:
    if certainty >= SURE:
        return "better than"
    if certainty >= LIKELY:
        return "probably better than"
    if certainty > 1 - LIKELY:
        return "not to be told from"
    return "probably worse than" if certainty > 1 - SURE else "worse than"


def _listed(names: list[str]) -> str:
    if len(names) == 1:
        return names[0]
    return f"{', '.join(names[:-1])} and {names[-1]}"
