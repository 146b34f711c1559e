"""The definitions of commodities."""

import numpy as np
import pytest

from prospect.commodities import commodity_names, load_commodity
from prospect.detectability import FAMILIES
from prospect.errors import RecipeError
from prospect.features import FeatureBuilder, focal_mean, get_operation
from prospect.roles import family
from prospect.stack import open_stack


def test_three_come_with_the_package():
    assert commodity_names() == ["antimony", "coal", "gold"]


TYPES = [each.name for name in commodity_names() for each in load_commodity(name).types]


@pytest.mark.parametrize("name", [*commodity_names(), *TYPES])
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
    # It has no tellurium, bismuth or tungsten, was never seen by satellite, and nobody mapped its
    # sutures, folds and dips, or the depth of its basins.
    absent = {row.name for row in missing}
    absent |= {f"geochemistry.{element}" for element in ("Te", "Bi", "W")}
    absent |= {"faults.major", "faults.margin", "faults.suture", "folds.anticline"}
    absent |= {"basins.depth", "structure.dip"}
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
    rows = load_commodity(name).recipe.features
    steps = {row.name for row in rows}
    for row in rows:
        for role in set(row.of) - steps:
            assert family(role) not in (*FAMILIES, "area", "occurrences")


def test_types_have_rows_and_signs_of_their_own():
    rows = {
        name: {row.name: row for row in load_commodity(name).recipe.features}
        for name in ("gold", *TYPES)
    }
    assert "granitoid_contact_1500m" not in rows["gold"]
    assert rows["au_irgs"]["granitoid_contact_1500m"].sign == "+"
    assert "granitoid_2500m" not in rows["au_irgs"]
    assert rows["au_orogenic"]["granitoid_2500m"].sign == "∩"
    assert {"te_1500m", "bi_1500m", "w_1500m", "bi_w_te_index"} <= set(rows["au_irgs"])
    assert not {"te_1500m", "bi_1500m", "w_1500m", "bi_w_te_index"} & set(rows["au_orogenic"])
    assert "carbonaceous_share_5000m" not in rows["au_porphyry"]
    assert "jasperoid_index" not in rows["sb_vein_au"]
    assert "au_1500m" in rows["sb_vein_au"]


def test_a_type_goes_by_its_name_or_beside_its_commodity():
    alone, beside = load_commodity("au_irgs"), load_commodity("gold", "au_irgs")
    assert alone == beside
    assert (alone.name, alone.type) == ("au_irgs", "au_irgs")
    assert alone.is_meant("золото")
    assert load_commodity("gold").type == ""
    with pytest.raises(
        RecipeError, match="gold has no type 'au_vein'; it has au_orogenic, au_irgs"
    ):
        load_commodity("gold", "au_vein")
    gold = load_commodity("gold")
    assert load_commodity(alone, "au_irgs") is alone
    for source in (gold, alone, "au_irgs"):
        with pytest.raises(RecipeError, match="but the type 'au_orogenic' came"):
            load_commodity(source, "au_orogenic")
    with pytest.raises(RecipeError, match="There is no commodity 'au_vein'"):
        load_commodity("au_vein")


@pytest.mark.parametrize(
    ("commodity", "text", "meant"),
    [
        ("gold", "orogenic gold", "au_orogenic"),
        ("gold", "золото-кварцевый", "au_orogenic"),
        ("gold", "Скарновый", "au_irgs"),
        ("gold", "Intrusion-related", "au_irgs"),
        ("gold", "медно-порфировый", "au_porphyry"),
        ("gold", "эпитермальное", "au_epithermal"),
        ("gold", "золото", ""),
        ("antimony", "jasperoid", "sb_jasperoid"),
        ("antimony", "кварц-антимонитовая жила", "sb_vein_au"),
        ("coal", "бурый уголь", "lignite"),
        ("coal", "каменный уголь", "bituminous"),
        ("coal", "антрацит", "anthracite"),
        ("coal", "уголь", ""),
    ],
)
def test_words_tell_types(commodity, text, meant):
    assert load_commodity(commodity).type_of(text) == meant


def test_ratio_of_potassium_and_thorium(make_stack):
    rng = np.random.default_rng(0)
    layers = {name: rng.uniform(1, 3, (30, 40)).astype(np.float32) for name in ("k", "th")}
    attrs = {"k": {"role": "radiometrics.K"}, "th": {"role": "radiometrics.Th"}}
    stack = make_stack(**layers, attrs=attrs)
    built = FeatureBuilder(load_commodity("gold").recipe).fit(stack)
    assert built.feature_names == ["k_th"]
    assert built.signs == ["+"]
    k, th = (focal_mean(stack[name], radius=500).values for name in ("k", "th"))
    np.testing.assert_allclose(built.transform(stack).values[0], np.log(k / th), atol=1e-5)


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
        ("format = 1\nfeature = 3", "needs rows of .*feature"),
        ('format = 1\ntype = "x"\n[[feature]]\nname="a"', "needs rows of .*type"),
        ('format = 1\n[[type]]\nx="x"\n[[feature]]\nname="a"', "type.* needs a name"),
        (
            'format = 1\n[[type]]\nname="x"\ndepth=3\n[[feature]]\nname="a"',
            "type 'x' has an unknown key 'depth'",
        ),
        (
            'format = 1\n[[feature]]\nname="a"\noperation="value"\nof="b"\ntypes=["x"]',
            "'a' is of type 'x', but there are any",
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
