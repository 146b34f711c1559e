"""Which layer of a stack is which of a model."""

import numpy as np
import pytest
import xarray as xr

from prospect.errors import ModelError
from prospect.matching import LayerCard, bind, bind_cards, cards_of


def cards(*items, **options):
    return {name: LayerCard(name, role, **options) for name, role in items}


SB = cards(("sb", "geochemistry.Sb"))


def test_by_name_then_by_role_in_any_order():
    wanted = cards(("mag", "magnetics.rtp"), ("sb", "geochemistry.Sb"))
    given = cards(("till_sb", "geochemistry.Sb"), ("other", "x"), ("mag", "magnetics.tmi"))
    found = bind_cards(wanted, given)
    assert {name: b.name for name, b in found.items()} == {"mag": "mag", "sb": "till_sb"}
    assert all(b.factor == 1.0 and b.recode is None for b in found.values())
    assert found["sb"].card is wanted["sb"]


def test_a_name_goes_before_a_role():
    given = cards(("a", "geochemistry.Sb"), ("sb", "geochemistry.Sb"))
    assert bind_cards(SB, given)["sb"].name == "sb"


def test_missing_and_ambiguous_layers_are_errors():
    says = r"needs the layer 'sb' \(role geochemistry.Sb\), but none of the 1 .*--map sb=PATH"
    with pytest.raises(ModelError, match=says):
        bind_cards(SB, cards(("a", "geochemistry.As")))
    with pytest.raises(
        ModelError, match="and a, b could all be that: say which with --map sb=PATH"
    ):
        bind_cards(SB, cards(("a", "geochemistry.Sb"), ("b", "geochemistry.Sb")))
    with pytest.raises(ModelError, match="'x', but none"):
        bind_cards(cards(("x", "")), cards(("a", "")))


def test_one_layer_does_not_stand_for_two():
    wanted = cards(("sb_till", "geochemistry.Sb"), ("sb_soil", "geochemistry.Sb"))
    with pytest.raises(ModelError, match="needs the layer 'sb_soil'"):
        bind_cards(wanted, cards(("sb_till", "geochemistry.Sb")))
    with pytest.raises(ModelError, match=r"'sb_till' and 'sb_soil' .* only 'a' could be either"):
        bind_cards(wanted, cards(("a", "geochemistry.Sb")))
    given = cards(("sb_till", "geochemistry.Sb"), ("a", "geochemistry.Sb"))
    assert bind_cards(wanted, given)["sb_soil"].name == "a"
    mapped = bind_cards(wanted, given, {"sb_till": "a", "sb_soil": "a"})
    assert {b.name for b in mapped.values()} == {"a"}  # as asked


def test_a_mapping_settles_doubts():
    given = cards(("a", "geochemistry.Sb"), ("b", "geochemistry.Sb"), ("sb", "geochemistry.Sb"))
    assert bind_cards(SB, given, {"sb": "b"})["sb"].name == "b"
    with pytest.raises(ModelError, match="model has no layer 'zn'; it has: sb"):
        bind_cards(SB, given, {"zn": "b"})
    with pytest.raises(ModelError, match="no layer 'z' to be 'sb'; there are: a, b, sb"):
        bind_cards(SB, given, {"sb": "z"})


@pytest.mark.parametrize(
    ("wanted", "given", "factor"),
    [
        ("ppm", "ppb", 1e-3),
        ("ppb", "ppm", 1e3),
        ("ppm", "%", 1e4),
        ("ppm", "г/т", 1.0),
        ("PPM", "ppm", 1.0),
        ("ppb", "µg/kg", 1.0),
        ("ppb", "\u03bcg/kg", 1.0),
        ("m", "km", 1000.0),
        ("km", "m", 1e-3),
        ("m", "км", 1000.0),
        ("nT", "T", 1e9),
        ("mGal", "um/s2", 0.1),
        ("", "ppm", 1.0),
        ("ppm", "", 1.0),
        ("ohm.m", "ohm.m", 1.0),
    ],
)
def test_units_are_converted_where_both_are_known(wanted, given, factor):
    found = bind_cards({"a": LayerCard("a", unit=wanted)}, {"a": LayerCard("a", unit=given)})
    assert found["a"].factor == pytest.approx(factor, rel=1e-12)


@pytest.mark.parametrize(("wanted", "given"), [("ppm", "m"), ("nT", "ohm.m"), ("a", "b")])
def test_units_that_cannot_be_converted(wanted, given):
    with pytest.raises(ModelError, match=f"is in {wanted}, but 'a' is in {given}, which cannot"):
        bind_cards({"a": LayerCard("a", unit=wanted)}, {"a": LayerCard("a", unit=given)})


def test_classes_are_recoded_by_their_names():
    def card(classes):
        return {"a": LayerCard("a", kind="categorical", classes=classes)}

    model = card({1: "granite", 2: "basalt", 3: "shale"})
    same = bind_cards(model, card({1: "granite", 2: "basalt", 3: "shale"}))
    assert same["a"].recode is None
    other = bind_cards(model, card({7: "basalt", 1: "granite", 9: "chert"}))
    assert other["a"].recode == {7: 2, 1: 1}  # chert was never seen
    assert bind_cards(model, card({}))["a"].recode is None


@pytest.mark.parametrize(("a", "b"), [("categorical", "continuous"), ("geometry", "categorical")])
def test_classes_are_no_measurements(a, b):
    with pytest.raises(ModelError, match=f"is {a}, but 'a' is {b}: correct its kind"):
        bind_cards({"a": LayerCard("a", kind=a)}, {"a": LayerCard("a", kind=b)})


def test_cards_tell_what_a_stack_says():
    stack = xr.Dataset(
        {
            "mag": (
                ("y", "x"),
                np.zeros((2, 2), np.float32),
                {"role": "magnetics.rtp", "units": "nT", "required": True, "source": "m.tif"},
            ),
            "lith": (("y", "x"), np.zeros((2, 2), np.int32), {"classes": {1: "a"}}),
        }
    )
    found = cards_of(stack)
    assert found["mag"] == LayerCard(
        "mag", "magnetics.rtp", "nT", "continuous", required=True, source="m.tif"
    )
    assert found["lith"] == LayerCard("lith", kind="categorical", classes={1: "a"})
    for card in found.values():
        assert LayerCard.from_dict(card.to_dict()) == card
    assert bind(found, stack)["lith"].name == "lith"
