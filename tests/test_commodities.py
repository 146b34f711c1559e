"""The definitions of commodities."""

import pytest

from prospect.commodities import commodity_names, load_commodity
from prospect.errors import RecipeError
from prospect.features import get_operation
from prospect.stack import open_stack


def test_three_come_with_the_package():
    assert commodity_names() == ["antimony", "coal", "gold"]


@pytest.mark.parametrize("name", commodity_names())
def test_every_row_says_what_it_is_and_where_from(name):
    commodity = load_commodity(name)
    assert commodity.title
    assert commodity.model
    for row in commodity.recipe.features:
        get_operation(row.operation).check(row.parameters)
        if row.keep:
            assert row.source, f"{row.name} has no source"
            assert row.system, f"{row.name} has no part in the mineral system"


@pytest.mark.parametrize("name", commodity_names())
def test_the_sample_region_has_most_of_the_layers(name, world):
    commodity = load_commodity(name)
    resolved, missing = commodity.recipe.resolve(open_stack(world))
    assert len(resolved.features) >= 9
    assert all("*" in row.name or row.name[:2] in ("te", "bi") for row in missing)


@pytest.mark.parametrize("name", commodity_names())
def test_cover_relief_and_places_are_never_evidence(name):
    # They say where people looked, not where ore is.
    for row in load_commodity(name).recipe.features:
        for role in row.of:
            assert role.split(".")[0] not in ("cover", "elevation", "area", "occurrences")


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("gold", True),
        ("au, cu", True),
        ("золото рудное", True),
        ("bauxite", False),
        ("restaurant", False),
        ("copper", False),
    ],
)
def test_words_choose_occurrences(text, meant):
    assert load_commodity("gold").is_meant(text) is meant


def test_placers_are_left_out():
    assert load_commodity("gold").is_excluded("золото россыпное")
    assert not load_commodity("gold").is_excluded("золото рудное")


def test_ones_own_file_works(tmp_path):
    path = tmp_path / "lithium.toml"
    path.write_text(
        'format = 1\nname = "lithium"\nwords = ["Li", "литий"]\n'
        '[[feature]]\nname = "z_*"\noperation = "robust_z"\nof = "geochemistry.*"\n',
        "utf-8",
    )
    commodity = load_commodity(path)
    assert commodity.is_meant("литий, цезий")
    assert commodity.is_meant("li, cs")
    assert not commodity.is_meant("silica")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("format = 2", "format 2"),
        ("format = 1", "needs rows"),
        ("not toml", "cannot be read"),
        (
            'format = 1\ncolour = "red"\n[[feature]]\nname="a"\noperation="value"\nof="b"',
            "unknown key 'colour'",
        ),
        (
            'format = 1\nwords = "gold"\n[[feature]]\nname="a"\noperation="value"\nof="b"',
            "words is a list",
        ),
        ('format = 1\n[[feature]]\nname="a"\noperation="vlaue"\nof="b"', "did you mean value"),
    ],
)
def test_a_wrong_file_is_a_sentence(tmp_path, text, sentence):
    path = tmp_path / "x.toml"
    path.write_text(text)
    with pytest.raises(RecipeError, match=sentence):
        load_commodity(path)


def test_an_unknown_name_is_a_sentence(tmp_path):
    with pytest.raises(RecipeError, match="there are antimony, coal, gold"):
        load_commodity("kryptonite")
    with pytest.raises(RecipeError, match="cannot be read"):
        load_commodity(tmp_path / "none.toml")
