"""Signs of the evidence: contradicted where they are wrong, hardly ever where they are right."""

import numpy as np
import pytest
from scipy.stats import t as student
from sklearn.metrics import roc_auc_score

from prospect.signs import contradictions, directions, told


def ground(seed, shift, deposits=24, cells=600, features=4):
    """Deposits shifted along every feature; cells of one block resemble each other."""
    rng = np.random.default_rng(seed)
    cluster = rng.integers(0, 30, deposits + cells)
    kind = np.repeat([1, -1], [deposits, cells])
    values = (
        rng.normal(size=(deposits + cells, features))
        + 0.5 * rng.normal(size=(30, features))[cluster]
    )
    values[kind == 1] += shift
    group = np.where(kind == 1, np.arange(deposits + cells), -1)
    return values.astype(np.float32), kind, group, cluster


def test_the_auc_is_that_of_scikit_learn_and_gaps_take_no_part():
    values, kind, group, cluster = ground(0, 0.5)
    values[::7, 0] = np.nan
    values[:, 1] = np.round(values[:, 1])  # ties
    table = directions(values, kind, group, cluster, list("abcd"), ["+", "-", "0", "∩"])
    assert list(table.index) == ["a", "b"]
    for name, column in (("a", 0), ("b", 1)):
        known = np.isfinite(values[:, column])
        expected = roc_auc_score(kind[known] == 1, values[known, column])
        assert table.loc[name, "auc"] == pytest.approx(expected)
    row = table.loc["a"]
    reach = (row["high"] - row["low"]) / 2
    freedom = np.unique(cluster[kind == 1]).size - 1
    error = reach / student.ppf(0.95, freedom)
    assert row["p"] == pytest.approx(student.cdf((row["auc"] - 0.5) / error, freedom))


def test_satellites_of_a_deposit_count_once():
    values, kind, group, cluster = ground(1, 0.0)
    once = directions(values, kind, group, cluster, list("abcd"), ["+"] * 4)
    again = np.flatnonzero(kind == 1)[:5].repeat(6)
    more = [np.concatenate([a, a[again]]) for a in (values, kind, group, cluster)]
    np.testing.assert_allclose(
        directions(*more, list("abcd"), ["+"] * 4)["auc"], once["auc"], rtol=1e-12
    )


def test_the_error_is_that_of_fresh_worlds():
    """Standard errors against how far the AUC of many worlds spreads."""
    found = [directions(*ground(s, 0.4, cells=200), list("abcd"), ["+"] * 4) for s in range(120)]
    spread = np.std([table["auc"] for table in found], axis=0)
    freedom = 15
    reach = np.mean([(table["high"] - table["low"]) / 2 for table in found], axis=0)
    np.testing.assert_allclose(reach / student.ppf(0.95, freedom), spread, rtol=0.2)


def test_wrong_signs_are_told_and_right_ones_are_not():
    values, kind, group, cluster = ground(2, 1.2)
    signs = ["+", "-", "0", "+"]
    table = directions(values, kind, group, cluster, list("abcd"), signs)
    assert table["contradicted"].to_dict() == {"a": False, "b": True, "d": False}
    sentences = contradictions(table)
    assert sentences[0].startswith("b (sign -, but its AUC alone is 0.")
    lines = told(sentences)
    assert lines[0].startswith("Prior contradicted by the data")
    assert told([]) == []


def test_false_alarms_are_as_rare_as_said():
    """No feature says anything: any alarm is false, of six features that are three in truth."""
    rung = 0
    for seed in range(100):
        values, kind, group, cluster = ground(seed, 0.0, cells=200, features=3)
        values = np.hstack([values, np.exp(values)])
        table = directions(values, kind, group, cluster, list("abcdef"), ["+", "-", "+"] * 2)
        rung += table["contradicted"].any()
        np.testing.assert_allclose(table["adjusted"][:3], table["adjusted"][3:], atol=0.01)
    assert rung <= 11  # 5 % of 100, and three standard deviations


def test_too_few_deposits_are_not_judged():
    values, kind, group, cluster = ground(3, -3.0, deposits=7)
    table = directions(values, kind, group, cluster, list("abcd"), ["+"] * 4)
    assert table["auc"].isna().all() and not table["contradicted"].any()
    one_block = directions(*ground(3, -3.0)[:3], np.zeros(624, int), list("abcd"), ["+"] * 4)
    assert one_block["auc"].notna().all() and not one_block["contradicted"].any()
    none = directions(*ground(3, -3.0), list("abcd"), ["0"] * 4)
    assert none.empty and contradictions(none) == []
