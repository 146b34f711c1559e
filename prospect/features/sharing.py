"""Several recipes over one stack: rows that are the same are learnt and computed once."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

import xarray as xr

from prospect.features.builder import FeatureBuilder
from prospect.features.plan import Step, leading_to
from prospect.features.recipe import FeatureSpec, Recipe, in_use, rounds


def fit_together(
    recipes: Sequence[Recipe], stack: xr.Dataset
) -> tuple[FeatureBuilder, list[FeatureBuilder]]:
    """
    Fit several recipes, reading the layers once.

    Parameters
    ----------
    recipes : sequence of Recipe
    stack : Dataset of dims (y, x)

    Returns
    -------
    together : FeatureBuilder
        Of every row of any of them, each once. A row that computes something else than a row
        of the same name before it carries a number behind its name.
    builders : list of FeatureBuilder
        One a recipe: what fitting each alone makes, too.

    Raises
    ------
    RecipeError
        If a recipe has no row that can be built.
    """
    resolved = [recipe.resolve(stack) for recipe in recipes]
    rows: dict[str, FeatureSpec] = {}
    ours = [_join(in_use(recipe.features), rows) for recipe, _ in resolved]
    together = FeatureBuilder(Recipe(tuple(rows.values()))).fit(stack)
    made = {step.name: step for step in together.steps_}
    builders = []
    for recipe, (own, missing), names in zip(recipes, resolved, ours, strict=True):
        back = {there: here for here, there in names.items()}
        # In the rounds that fitting alone takes them in.
        steps = [
            _as_own(made[names[spec.name]], spec, back)
            for batch in rounds(in_use(own.features), map(str, stack.data_vars))
            for spec in batch
            if names[spec.name] in made
        ]
        builder = FeatureBuilder(recipe)
        kept = {step.name for step in steps if step.spec.keep}
        builder.steps_ = tuple(leading_to(tuple(steps), kept))
        if not builder.steps_:
            builders.append(FeatureBuilder(recipe).fit(stack))
            continue
        used = {item for step in builder.steps_ for item in step.spec.of}
        cards = ((name, together.layers_.get(name)) for name in map(str, stack.data_vars))
        builder.layers_ = {name: card for name, card in cards if card is not None and name in used}
        builder.cell_ = together.cell_
        builder.missing_ = missing
        builder.notes_ = tuple(
            note for note in together.notes_ if any(f"'{n}'" in note for n in names.values())
        )
        builders.append(builder)
    return together, builders


def _join(specs: Sequence[FeatureSpec], rows: dict[str, FeatureSpec]) -> dict[str, str]:
    """Add rows to those there are, and say under which name each stands."""
    known = {_what(row): name for name, row in rows.items()}
    names: dict[str, str] = {}
    for spec in specs:
        moved = replace(
            spec,
            of=tuple(names.get(item, item) for item in spec.of),
            spare=tuple(names.get(item, item) for item in spec.spare),
        )
        name = known.get(_what(moved))
        if name is None:
            name, number = spec.name, 2
            while name in rows:
                name, number = f"{spec.name} {number}", number + 1
            rows[name] = replace(moved, name=name)
            known[_what(moved)] = name
        elif spec.keep and not rows[name].keep:
            rows[name] = replace(rows[name], keep=True)
        names[spec.name] = name
    return names


def _what(spec: FeatureSpec) -> str:
    """What a row computes, whatever it is called and meant for."""
    return json.dumps([spec.operation, spec.of, spec.spare, dict(spec.parameters)], sort_keys=True)


def _as_own(step: Step, spec: FeatureSpec, back: dict[str, str]) -> Step:
    """A fitted row under the name, sign and part that a recipe gives it."""
    own = replace(
        spec,
        of=tuple(back.get(item, item) for item in step.spec.of),
        spare=tuple(back.get(item, item) for item in step.spec.spare),
    )
    columns = tuple(spec.name + column[len(step.name) :] for column in step.columns)
    return replace(step, spec=own, columns=columns)
