"""Assays as laboratories write them."""

import numpy as np
import pandas as pd
import pytest

from prospect.errors import LayerError
from prospect.tables.assays import detected, impute, ranks, read_assays


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def read(*values, **options):
    return read_assays(pd.Series(values, name="Sb"), **options)


@pytest.mark.parametrize(
    ("text", "value", "censored"),
    [
        ("0.5", 0.5, 0),
        ("0,5", 0.5, 0),
        ("1 200", 1200, 0),
        ("<0.002", 0.002, -1),
        ("< 0,002", 0.002, -1),
        ("-0.002", 0.002, -1),
        ("\u22120,002", 0.002, -1),
        (">1000", 1000, 1),
        ("5·10⁻³", 5e-3, 0),
        ("3,2*10-2", 3.2e-2, 0),
        ("n·10⁻³ %", 10**-2.5, 0),
        ("<1·10⁻³", 1e-3, -1),
        (">2*10^4", 2e4, 1),
        ("н/о", np.nan, 0),
        ("н.о.", np.nan, 0),
        ("", np.nan, 0),
        ("-9999", np.nan, 0),
        ("-", np.nan, 0),
    ],
)
def test_every_way_of_writing_a_value(text, value, censored):
    assays = read(text)
    np.testing.assert_allclose(assays.value, [value], rtol=1e-12)
    assert assays.censored.tolist() == [censored]


def test_traces_take_the_smallest_limit_or_value():
    assert read("сл.", "<0.1", "<0.5", "3").value.tolist() == [0.1, 0.1, 0.5, 3]
    assert read("следы", "2", "3").value.tolist() == [2, 2, 3]
    assert read("сл", "2", limit=0.01).value.tolist() == [0.01, 2]
    assert np.isnan(read("сл").value[0])


def test_not_found_is_a_gap_and_said_unless_one_knows():
    gaps = read("н/о", "1", "2")
    assert np.isnan(gaps.value[0])
    assert any("not found or not determined" in note for note in gaps.notes)
    below = read("н/о", "1", "2", not_found="below")
    assert below.value[0] == 1
    assert below.censored.tolist() == [-1, 0, 0]
    assert "taken to be below detection, in 1 row" in below.notes[-1]


def test_units_are_brought_to_ppm_and_it_is_said():
    assays = read("0.5", "<0.1", unit="%")
    assert assays.value.tolist() == [5000, 1000]
    assert "brought from % to ppm (× 10000)" in assays.notes[0]
    assert read("2", unit="г/т").value.tolist() == [2]
    assert read("2", unit="г/т").notes == ()
    assert read("2", unit="ppb").value.tolist() == [0.002]


def test_warnings_at_30_and_80_percent_below_detection():
    assert not read(*["1"] * 8, *["<1"] * 2).notes
    assert "its low values are imputed" in read(*["1"] * 6, *["<1"] * 4).notes[0]
    assert "only detected or not can be told" in read(*["1"], *["<1"] * 9).notes[0]


def test_steps_are_noticed():
    steps = read(*(["1", "2", "3", "5", "10"] * 10))
    assert steps.stepped
    assert "only ranks can be told" in steps.notes[0]
    assert not read(*[str(v) for v in range(50)]).stepped


def test_what_is_no_assay_is_refused_with_its_row():
    with pytest.raises(LayerError, match="1 values of 'Sb' are no assays \\('много' in row 2\\)"):
        read("1", "много")
    with pytest.raises(LayerError, match="unit 'oz' is not known"):
        read("1", unit="oz")
    with pytest.raises(LayerError, match="'gap' or 'below'"):
        read("1", not_found="zero")


@pytest.mark.parametrize("limits", [[1.0], [0.5, 1.0, 2.0]])
def test_robust_regression_recovers_a_lognormal(rng, limits):
    truth = np.exp(rng.normal(0.3, 1.0, 3000))
    limit = rng.choice(limits, truth.size)
    below = truth < limit
    text = [
        f"<{top}" if low else repr(float(value))
        for value, top, low in zip(truth, limit, below, strict=True)
    ]
    assays = read(*text)
    filled = impute(assays)
    assert 0.3 < assays.share_censored < 0.5
    np.testing.assert_array_equal(filled[~below], truth[~below])
    assert (filled[below] <= limit[below]).all()
    assert np.log(filled).mean() == pytest.approx(np.log(truth).mean(), abs=0.03)
    assert np.log(filled).std() == pytest.approx(np.log(truth).std(), rel=0.04)
    # Half the limit is no such thing.
    half = impute(assays, "half")
    assert abs(np.log(half).std() / np.log(truth).std() - 1) > 0.05


def test_robust_regression_by_hand():
    # One limit below all that was measured: plotting positions by Weibull on 2 + 3 values.
    assays = read("<1", "<1", "2", "4", "8")
    from scipy.stats import norm

    exceed = 3 / 5
    position = (1 - exceed) + exceed * np.array([1, 2, 3]) / 4
    slope, intercept = np.polyfit(norm.ppf(position), np.log([2, 4, 8]), 1)
    want = np.exp(intercept + slope * norm.ppf(0.4 * np.array([1, 2]) / 3))
    np.testing.assert_allclose(impute(assays)[:2], np.minimum(want, 1), rtol=1e-12)


def test_other_ways_to_fill_and_what_is_too_little():
    assays = read("<1", "2", ">8", "")
    np.testing.assert_array_equal(impute(assays, "half"), [0.5, 2, 8, np.nan])
    np.testing.assert_array_equal(impute(assays, "none"), [np.nan, 2, 8, np.nan])
    with pytest.raises(LayerError, match="too few to impute 1 below detection"):
        impute(assays)
    with pytest.raises(LayerError, match="one of ros, half, none"):
        impute(assays, "zero")


def test_what_is_no_plain_number_is_said_with_what_was_made_of_it():
    said = {
        "сл.": "written as traces, and taken to be below the least limit or value",
        "-2": "negative, and taken to be below the number's size",
        "-9999": "a code for no value, and a gap",
        ">100": "above what could be measured, and taken at that limit",
        "n·10⁻³": "written as an order of magnitude (n·10), and taken in its middle",
    }
    for text, words in said.items():
        (note,) = read(text, *"123456").notes
        assert words in note
        assert note.endswith("in 1 row")
    assert read(*"123456").notes == ()


def test_steps_become_ranks_with_what_is_below_them_all_at_the_bottom():
    assays = read("<5", "1", "3", "3", "", ">3")
    np.testing.assert_allclose(ranks(assays), [0.1, 0.3, 0.7, 0.7, np.nan, 0.7])
    np.testing.assert_array_equal(detected(assays), [0, 1, 1, 1, np.nan, 1])
