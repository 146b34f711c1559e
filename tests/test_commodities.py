"""The definitions of commodities."""

import numpy as np
import pytest

from prospect.commodities import commodity_names, load_commodity
from prospect.errors import RecipeError
from prospect.features import FeatureBuilder, get_operation
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
    # It has no tellurium, bismuth, tungsten, zinc or copper, was never seen by satellite, and
    # nobody mapped its sutures and folds or reduced its field to the pole.
    absent = {row.name for row in missing}
    absent |= {f"geochemistry.{element}" for element in ("Te", "Bi", "W", "Zn", "Cu")}
    absent |= {"faults.major", "faults.suture", "folds.anticline", "magnetics.rtp"}
    for row in missing:
        assert "*" in row.name or any(
            item in absent or item.startswith(("aster.", "z_")) for item in row.of
        ), row.name


def test_rows_of_satellite_bands_are_built_where_there_are_bands(make_stack):
    rng = np.random.default_rng(0)
    names = ("b1", "b2", "b3n", "b4", "b5", "b6", "b7", "b10", "b11", "b12")
    layers = {name: rng.uniform(0.1, 0.6, (30, 40)).astype(np.float32) for name in names}
    attrs = {name: {"role": f"aster.{name}"} for name in names}
    attrs["rock"] = {"role": "geology.lithology", "classes": {0: "shale", 1: "marl"}}
    stack = make_stack(**layers, rock=rng.integers(0, 2, (30, 40)).astype(np.int32), attrs=attrs)
    for commodity, wanted in (
        ("antimony", {"jasperoid_index", "clay_index"}),
        ("gold", {"sericite", "ferric"}),
    ):
        built = FeatureBuilder(load_commodity(commodity).recipe).fit(stack)
        assert wanted <= set(built.feature_names)
        values = built.transform(stack).sel(feature=sorted(wanted)).values
        # What is green, snow or in the shade is a gap, and the rest is not.
        known = np.isfinite(values).mean(axis=(1, 2))
        assert (known > 0.1).all()


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
