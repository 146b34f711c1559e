"""Recipes as data."""

import numpy as np
import pytest

from prospect.errors import RecipeError
from prospect.features import FeatureSpec, Recipe

Z = {"name": "z", "operation": "robust_z", "of": "a"}


def stack_of(make_stack, **roles):
    arrays = {name: np.zeros((4, 5), np.float32) for name in roles}
    return make_stack(**arrays, attrs={name: {"role": role} for name, role in roles.items()})


def test_a_row_goes_to_a_table_and_back():
    row = FeatureSpec.from_table(
        {
            "name": "n",
            "operation": "focal_mean",
            "of": ["a"],
            "radius": 500,
            "sign": "+",
            "system": "trap",
            "source": "Someone (1999)",
            "keep": False,
        }
    )
    assert FeatureSpec.from_table(row.to_table()) == row


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"operation": "blur"}, "no operation 'blur'"),
        ({"radius": 5}, "has no parameter 'radius'"),
        ({"sign": "up"}, "sign is"),
        ({"name": ""}, "needs a name"),
        ({"of": []}, "of names roles"),
    ],
)
def test_a_wrong_row_is_refused(change, sentence):
    with pytest.raises(RecipeError, match=sentence):
        FeatureSpec.from_table(Z | change)


def test_roles_become_layers(make_stack):
    stack = stack_of(make_stack, till_au="geochemistry.Au", till_sb="geochemistry.Sb", mag="m.tmi")
    recipe = Recipe.from_tables(
        [
            {"name": "log_*", "operation": "value", "of": "geochemistry.*", "keep": False},
            {"name": "z_*", "operation": "robust_z", "of": "log_*"},
            {"name": "au_5km", "operation": "focal_mean", "of": "z_Au", "radius": 5000},
            {"name": "mag", "operation": "value", "of": "m.tmi"},
            {"name": "gravity", "operation": "value", "of": "gravity.bouguer"},
        ]
    )
    resolved, missing = recipe.resolve(stack)
    assert [(row.name, row.of) for row in resolved.features] == [
        ("log_Au", ("till_au",)),
        ("log_Sb", ("till_sb",)),
        ("z_Au", ("log_Au",)),
        ("z_Sb", ("log_Sb",)),
        ("au_5km", ("z_Au",)),
        ("mag", ("mag",)),
    ]
    assert [row.name for row in missing] == ["gravity"]


def test_two_layers_of_one_role_keep_their_own_names(make_stack):
    stack = stack_of(make_stack, old="geochemistry.Au", new="geochemistry.Au")
    rows = [{"name": "z_*", "operation": "robust_z", "of": "geochemistry.*"}]
    resolved, _ = Recipe.from_tables(rows).resolve(stack)
    assert [row.name for row in resolved.features] == ["z_old", "z_new"]
    rows = [{"name": "z", "operation": "robust_z", "of": "geochemistry.Au"}]
    with pytest.raises(RecipeError, match=r"fits several layers \(old, new\)"):
        Recipe.from_tables(rows).resolve(stack)


def test_rows_on_classes_need_one_of_them(make_stack):
    codes = np.ones((4, 5), np.int32)
    stack = make_stack(g=codes, attrs={"g": {"role": "geology.lithology", "classes": {1: "shale"}}})
    row = {"operation": "distance_to_classes", "of": "geology.lithology"}
    recipe = Recipe.from_tables(
        [{"name": "a", "classes": ["shale"], **row}, {"name": "b", "classes": ["granite"], **row}]
    )
    resolved, missing = recipe.resolve(stack)
    assert [r.name for r in resolved.features] == ["a"]
    assert [r.name for r in missing] == ["b"]


def test_names_are_unique():
    with pytest.raises(RecipeError, match="Two features are called 'z'"):
        Recipe.from_tables([Z, Z])
