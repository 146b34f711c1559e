"""The verdict in words: better than which baseline, by how much, how certainly."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from prospect.metrics.intervals import rows_of

SURE = 0.95
LIKELY = 0.80

DISTANCE = "distance to the nearest known deposit"

ENGLISH = {
    "useless": "Useless: it does not beat the {what} under these folds.",
    "not_shown": "Not shown to beat the {what} under these folds.",
    "every": "Better than every baseline, for certain.",
    "none": "Better than no baseline, for certain.",
    "some": "Better for certain than {beaten}; not for certain than {others}.",
    "and": "and",
    "better": "better than",
    "probably_better": "probably better than",
    "not_told": "not to be told from",
    "probably_worse": "probably worse than",
    "worse": "worse than",
    "line": "{word} {name} (AUC {value}): {difference} in AUC ({low} to {high}; ahead in "
    "{certainty} of 100 redraws of the ground)",
}
"""The words of a verdict; other languages have the same keys."""


def verdict(
    differences: pd.DataFrame,
    words: Mapping[str, str] = ENGLISH,
    names: Mapping[str, str] | None = None,
) -> list[str]:
    """
    Sentences for people.

    Parameters
    ----------
    differences : DataFrame
        A row a baseline, from :func:`prospect.metrics.differences` of AUC: columns value,
        difference, low, high, certainty.
    words : mapping
        As :data:`ENGLISH` has them, in any language.
    names : mapping, optional
        What baselines are called in that language.

    Returns
    -------
    list of str
        The judgement first, then a line a baseline.
    """
    called = {name: (names or {}).get(name, name) for name, _ in rows_of(differences)}
    lines = [_judgement(differences, words, called)]
    for name, row in rows_of(differences):
        lines.append(
            words["line"].format(
                word=words[_word(row)],
                name=called[name],
                value=f"{row['value']:.2f}",
                difference=f"{row['difference']:+z.2f}",
                low=f"{row['low']:+z.2f}",
                high=f"{row['high']:+z.2f}",
                certainty=f"{100 * row['certainty']:.0f}",
            )
        )
    return lines


def _judgement(table: pd.DataFrame, words: Mapping[str, str], called: Mapping[str, str]) -> str:
    judged = {name: _word(row) for name, row in rows_of(table)}
    beaten = [name for name, word in judged.items() if word == "better"]
    others = [name for name in judged if name not in beaten]
    if DISTANCE in others:
        shown = judged[DISTANCE] == "probably_better"
        return words["not_shown" if shown else "useless"].format(what=called[DISTANCE])
    if not others:
        return words["every"]
    if not beaten:
        return words["none"]
    join = words["and"]
    return words["some"].format(
        beaten=_listed([called[name] for name in beaten], join),
        others=_listed([called[name] for name in others], join),
    )


def _word(row: Mapping[str, float]) -> str:
    """Sure is what redraws and interval both say."""
    certainty = row["certainty"]
    if certainty >= SURE and row["low"] > 0:
        return "better"
    if certainty >= LIKELY:
        return "probably_better"
    if certainty > 1 - LIKELY:
        return "not_told"
    return "worse" if certainty <= 1 - SURE and row["high"] < 0 else "probably_worse"


def _listed(names: list[str], join: str) -> str:
    if len(names) == 1:
        return names[0]
    return f"{', '.join(names[:-1])} {join} {names[-1]}"
