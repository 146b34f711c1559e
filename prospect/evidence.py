"""Features by the evidence they rest on: faults, the assays of one element, lithology."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from prospect.features import FeatureBuilder
from prospect.matching import LayerCard
from prospect.roles import family

APART = ("geochemistry", "geology", "other", "distance", "density", "derivative", "cover")
"""Families whose members say different things; of others, such as bands, one group is made."""

MOST_NAMED = 3
"""Groups in the name of features that rest on several; more are said to be so many."""


@dataclass(frozen=True)
class EvidenceGroups:
    """
    Groups of features that rest on the same evidence.

    Attributes
    ----------
    names : tuple of str
        Of the groups, in the order of their first feature.
    of : array of shape (feature,), int
        The group of each feature.
    """

    names: tuple[str, ...]
    of: NDArray[np.int64]

    def members(self, name: str) -> NDArray[np.int64]:
        """Places of a group's features."""
        return np.flatnonzero(self.of == self.names.index(name))


def evidence_groups(builder: FeatureBuilder) -> EvidenceGroups:
    """
    Group the features of a builder by the layers they rest on, by way of other rows too.

    Parameters
    ----------
    builder : FeatureBuilder
        Fitted.

    Returns
    -------
    EvidenceGroups
        A feature of one layer, or of layers that say the same, goes to their group: every
        element that was assayed, the kinds of geological map, faults of any kind, all bands
        of a sensor. A feature of several layers goes to a group of all of them.
    """
    told = [_name(layers, builder.layers_) for layers in layers_behind(builder)]
    names = tuple(dict.fromkeys(told))
    return EvidenceGroups(names, np.array([names.index(name) for name in told], np.int64))


def layers_behind(builder: FeatureBuilder) -> list[frozenset[str]]:
    """The layers that each feature of a fitted builder rests on, by way of other rows too."""
    behind = {layer: frozenset([layer]) for layer in builder.layers_}
    features = []
    for step in builder.steps_:
        layers = frozenset[str]().union(*(behind.get(item, frozenset()) for item in step.spec.of))
        behind |= dict.fromkeys((step.spec.name, *step.columns), layers)
        if step.spec.keep:
            features += [layers] * len(step.columns)
    return features


def _name(layers: frozenset[str], cards: dict[str, LayerCard]) -> str:
    """What to call the evidence of some layers."""
    roles = [cards[name].role or name for name in sorted(layers, key=list(cards).index)]
    groups = list(dict.fromkeys(_group(role) for role in roles))
    families = {family(role) for role in roles}
    if len(groups) == 1:
        return groups[0]
    if len(families) == 1:
        return "several assays" if families == {"geochemistry"} else f"several of {families.pop()}"
    if len(groups) <= MOST_NAMED:
        return f"{', '.join(groups[:-1])} and {groups[-1]}"
    return f"{len(groups)} kinds of evidence"


def _group(role: str) -> str:
    """The group of one role, in words."""
    head, _, tail = role.partition(".")
    if head not in APART or not tail:
        return head.replace("_", " ")
    if head == "geochemistry":
        return f"{tail} assays"
    if head in ("geology", "other"):
        return tail.replace("_", " ")
    return f"{head} {tail}".replace("_", " ")
