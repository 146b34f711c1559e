"""Words of surveys."""

import pytest

from prospect.lexicon import named_commodities, read_age, says, standing_of


@pytest.mark.parametrize(
    ("text", "commodities"),
    [
        ("Сурьма, ртуть", {"antimony", "mercury"}),
        ("антимонитовая", {"antimony"}),
        ("золото рудное", {"gold"}),
        ("ЗОЛОТО РОССЫПНОЕ", {"gold"}),
        ("уголь бурый", {"coal"}),
        ("каменный уголь", {"coal"}),
        ("Антрацит", {"coal"}),
        ("Au, Cu", {"gold", "copper"}),
        ("Тилло", {"gold"}),
        ("көмүр", {"coal"}),
        ("August", set()),
        ("рудопроявление", set()),
    ],
)
def test_commodities_in_four_languages(text, commodities):
    assert named_commodities(text) == commodities


@pytest.mark.parametrize(
    ("text", "weight"),
    [
        ("Месторождение", 1.0),
        ("крупное месторождение", 1.0),
        ("Рудопроявление", 0.5),
        ("проявление", 0.5),
        ("точка минерализации", 0.2),
        ("Mineral occurrence", 0.5),
        ("Deposit", 1.0),
        ("operating", 1.0),
    ],
)
def test_standings(text, weight):
    standing = standing_of(text)
    assert standing is not None
    assert standing.weight == weight


def test_what_is_no_standing():
    assert standing_of("unknown") is None
    assert standing_of("") is None


def test_words_are_found_at_their_start_only():
    assert says("рудное золото", ["золот"])
    assert not says("незолото", ["золот"])
    assert says("Зелёный", ["зелен"])
    assert not says("aurora", ["au"])


@pytest.mark.parametrize(
    ("index", "oldest", "youngest", "from_ma", "to_ma"),
    [
        ("J₁₋₂", "Jurassic", "Jurassic", 201.4, 161.5),
        ("J1-2", "Jurassic", "Jurassic", 201.4, 161.5),
        ("S₁–D₁", "Silurian", "Devonian", 443.1, 393.5),
        ("D3-C1 fl", "Devonian", "Carboniferous", 382.3, 323.4),
        ("Pz3", "Palaeozoic", "Palaeozoic", 358.9, 251.9),
        ("С1", "Carboniferous", "Carboniferous", 358.9, 323.4),  # a Cyrillic С
        ("Р1", "Permian", "Permian", 298.9, 274.4),  # a Cyrillic Р
        ("Pg2-3", "Palaeogene", "Palaeogene", 56, 23),
        ("N2-Q", "Neogene", "Quaternary", 5.3, 0),
        ("γδC3", "Carboniferous", "Carboniferous", 307, 298.9),
        ("Qal", "Quaternary", "Quaternary", 2.58, 0),
    ],
)
def test_stratigraphic_indices(index, oldest, youngest, from_ma, to_ma):
    assert read_age(index) == (oldest, youngest, from_ma, to_ma)


@pytest.mark.parametrize("index", ["", "J5", "granite", "12", "C2-1"])
def test_what_is_no_index(index):
    assert read_age(index) is None
