"""Which layers of a project a model uses, before anything is opened."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from prospect.matching import LayerCard, bind_cards
from prospect.model import Model
from prospect.project import Project
from prospect.roles import matches


def select_layers(
    model: Model,
    project: Project,
    mapping: Mapping[str, str] | None = None,
    *,
    guessed: bool = False,
    others: bool = False,
) -> tuple[Project, list[str]]:
    """
    Keep what a model uses of a project, before anything is opened.

    Parameters
    ----------
    model : Model
    project : Project
    mapping : mapping of the model's layer names to the project's, optional
    guessed : bool
        Whether kinds are only guessed, as those of plain files are: then the model's hold.
    others : bool
        Whether layers that the model does not use stay, for one that is learnt anew.

    Returns
    -------
    project : Project
        Less the layers that the model does not use, on a grid that the others share.
    unused : list of str
        The layers that the model does not use.

    Raises
    ------
    ModelError
        If a layer is missing or ambiguous.
    """
    cards = {
        spec.name: LayerCard(spec.name, spec.role, spec.unit, "" if guessed else spec.kind)
        for spec in project.layers
    }
    for spec in project.vectors:
        kind = "geometry" if spec.attribute is None else "categorical"
        cards[spec.name] = LayerCard(spec.name, spec.role, "", kind)
    bound = bind_cards(model.builder.layers_, cards, mapping)
    kinds = {binding.name: binding.card.kind for binding in bound.values()}
    used = set(kinds)
    if model.ground.permissive is not None:
        for test in model.ground.permissive.tests():
            wanted = str(test["layer"])
            used |= {n for n, card in cards.items() if n == wanted or matches(wanted, card.role)}
    unused = [name for name in cards if name not in used]
    grid = project.grid
    if grid.like in unused:
        # The layer that set the grid stays to set it.
        unused.remove(str(grid.like))
    layers = tuple(replace(s, kind=kinds.get(s.name, s.kind)) for s in project.layers)
    project = replace(project, layers=layers)
    return project if others else project.without(unused), unused
