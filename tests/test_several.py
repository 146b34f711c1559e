"""Several commodities over one stack."""

import numpy as np
import pytest

from prospect.commodities import commodity_names, load_commodity
from prospect.errors import ModelError, RecipeError
from prospect.features import FeatureBuilder, Recipe
from prospect.features.sharing import fit_together
from prospect.several import overlap, train_several
from prospect.stack import open_stack
from prospect.training import train


def test_fitted_together_is_what_fitting_each_alone_makes(world):
    stack = open_stack(world)
    names = [*commodity_names(), "au_irgs"]
    recipes = [load_commodity(name).recipe for name in names]
    together, builders = fit_together(recipes, stack)
    alone = [FeatureBuilder(recipe).fit(stack) for recipe in recipes]
    for builder, one in zip(builders, alone, strict=True):
        assert builder.to_dict() == one.to_dict()
        assert builder.missing_ == one.missing_
        assert builder.notes_ == one.notes_
    assert len(together.steps_) < 0.7 * sum(len(one.steps_) for one in alone)
    assert len(together.steps_) > max(len(one.steps_) for one in alone)


def test_rows_of_one_name_that_differ_stay_apart(make_stack, field):
    stack = make_stack(a=np.abs(field()) + 1)
    made = [
        {"name": "s", "operation": "log", "of": "a", "keep": False},
        {"name": "m", "operation": "robust_z", "of": "s", "sign": "+"},
    ]
    others = [
        {"name": "s", "operation": "value", "of": "a", "keep": False},
        {"name": "m", "operation": "robust_z", "of": "s"},
    ]
    again = [{"name": "t", "operation": "robust_z", "of": "a", "sign": "-"}]
    recipes = [Recipe.from_tables(rows) for rows in (made, others, made + again)]
    together, builders = fit_together(recipes, stack)
    assert [step.name for step in together.steps_] == ["s", "s 2", "t", "m", "m 2"]
    for recipe, builder in zip(recipes, builders, strict=True):
        one = FeatureBuilder(recipe).fit(stack)
        assert builder.feature_names == one.feature_names
        assert builder.signs == one.signs
        np.testing.assert_array_equal(builder.transform(stack), one.transform(stack))
    with pytest.raises(RecipeError, match="No feature of the recipe can be built"):
        nothing = [{"name": "x", "operation": "value", "of": "gravity.bouguer"}]
        fit_together([recipes[0], Recipe.from_tables(nothing)], stack)


def test_a_note_is_told_to_those_it_concerns(make_stack, field):
    stack = make_stack(a=np.zeros((30, 30), np.float32), b=np.abs(field((30, 30))) + 1)
    rows = [{"name": f"log_{n}", "operation": "log", "of": n} for n in "ab"]
    recipes = [Recipe.from_tables(rows), Recipe.from_tables(rows[1:])]
    _, builders = fit_together(recipes, stack)
    assert len(builders[0].notes_) == 1
    assert builders[1].notes_ == ()


def test_models_are_those_of_training_alone(world, small_forest):
    stack = open_stack(world)
    options = {"estimator": small_forest, "background": 200, "n_splits": 3, "workers": 1}
    models = train_several(stack, world.occurrences, ["antimony", "gold"], **options)
    assert list(models) == ["antimony", "gold"]
    alone = train(stack, world.occurrences, "gold", **options)
    for name, values in alone.samples.items():
        np.testing.assert_array_equal(models["gold"].samples[name], values)
    assert models["gold"].record == alone.record
    with pytest.raises(ModelError, match="'gold' is asked for twice"):
        train_several(stack, world.occurrences, ["gold", "gold"])


def test_a_type_that_is_asked_for_is_taken(world, monkeypatch):
    def trained(stack, occurrences, definition, **_):
        return definition.type

    monkeypatch.setattr("prospect.several.train", trained)
    stack = open_stack(world)
    assert train_several(stack, None, ["gold"], deposit_type="au_irgs") == {"au_irgs": "au_irgs"}
    with pytest.raises(ModelError, match="at least one commodity"):
        train_several(stack, None, [])


def test_overlap_by_hand():
    a = np.array([[0.9, 0.8, 0.1, np.nan, np.nan]], np.float32)
    b = np.array([[0.02, 0.07, 0.09, 0.01, np.nan]], np.float32)
    band, classes = overlap({"antimony": a, "gold": b}, share=0.5)
    assert band.classes == ("none", "antimony", "gold", "antimony and gold")
    assert classes.tolist() == [[1, 3, 2, 0, 255]]
    # The same everywhere is likely nowhere.
    assert overlap({"a": np.ones((2, 2)), "b": np.ones((2, 2))})[1].tolist() == [[0, 0], [0, 0]]


@pytest.mark.parametrize(
    ("maps", "share", "sentence"),
    [
        ({"a": np.ones((2, 2))}, 0.05, "Between two and seven maps"),
        ({"a": np.ones((2, 2)), "b": np.ones((2, 3))}, 0.05, "on one grid"),
        ({"a": np.ones((2, 2)), "b": np.ones((2, 2))}, 1.5, "between 0 and 1"),
    ],
)
def test_maps_that_cannot_overlap_are_refused(maps, share, sentence):
    with pytest.raises(ModelError, match=sentence):
        overlap(maps, share=share)
