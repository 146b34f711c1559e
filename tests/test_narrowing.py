"""What would narrow a target's spread: known variances, and every line tried by hand."""

import numpy as np
import pytest
from affine import Affine
from click.testing import CliRunner
from shapely import box

from prospect.cli import main
from prospect.errors import ModelError
from prospect.grid import Grid
from prospect.map_file import open_map
from prospect.models import NegativeDraws, TrainingDraws
from prospect.scoring import score
from prospect.stack import open_stack
from prospect.targets import find_targets, narrow, traverses_of
from prospect.targets.narrowing import (
    ALIKE,
    CELLS,
    LOOKED_AT,
    Draws,
    best_traverse,
    cells_of,
    what_layers_would_tell,
)
from prospect.training import train
from prospect.vector import frame, read_vector, write_vector

GRID = Grid("EPSG:32642", Affine(500, 0, 500_000, 0, -500, 4_400_000), (60, 80))


def second(block):
    """A score that is the second feature."""
    return np.nan_to_num(np.asarray(block[1], float), nan=0.5)


SECOND = np.array([False, True, False])


def donors(rng, count=1000):
    """Three features: even, a coin, and what repeats the coin."""
    coin = rng.integers(0, 2, count)
    return np.column_stack([rng.random(count), coin, coin]).astype(np.float32)


def test_what_nothing_else_tells_has_its_whole_variance():
    rng = np.random.default_rng(0)
    asked = np.array([[0.3, np.nan, np.nan]] * 40, np.float32)
    asked[:, 0] = rng.random(40)
    found = what_layers_would_tell(second, asked, donors(rng), SECOND)
    assert found.mean() == pytest.approx(0.25, abs=0.02)


def test_what_other_evidence_repeats_has_none():
    rng = np.random.default_rng(1)
    asked = np.array([[0.3, np.nan, 1.0], [0.7, np.nan, 0.0]], np.float32)
    np.testing.assert_array_equal(what_layers_would_tell(second, asked, donors(rng), SECOND), 0.0)


def test_known_features_have_none_and_few_donors_tell_nothing():
    rng = np.random.default_rng(2)
    given = donors(rng)
    asked = np.array([[0.3, 1.0, 1.0], [0.3, np.nan, 1.0]], np.float32)
    given[ALIKE - 1 :, 1] = np.nan
    found = what_layers_would_tell(second, asked, given, SECOND)
    assert found[0] == 0
    assert np.isnan(found[1])


def slow_variance(predict, cell, given, member):
    """One cell, one donor at a time."""
    missing = np.isnan(cell) & member
    able = [row for row in given if not np.isnan(row[missing]).any()]

    def rank(value, feature):
        column = given[:, feature][~np.isnan(given[:, feature])]
        if np.isnan(value):
            return 0.5
        return ((column < value).sum() + (column <= value).sum()) / (2 * column.size)

    def apart(row):
        known = np.flatnonzero(~np.isnan(cell))
        return sum((rank(cell[k], k) - rank(row[k], k)) ** 2 for k in known)

    nearest = sorted(able, key=apart)[:ALIKE]
    said = []
    for row in nearest:
        filled = np.where(missing, row, cell)
        said.append(predict(filled[:, None, None])[0, 0])
    return np.var(said, ddof=1)


def test_draws_are_those_of_the_most_alike_cells():
    rng = np.random.default_rng(3)
    given = rng.normal(size=(200, 4)).astype(np.float32)
    given[rng.random(given.shape) < 0.1] = np.nan
    asked = rng.normal(size=(12, 4)).astype(np.float32)
    asked[:, :2][rng.random((12, 2)) < 0.5] = np.nan
    member = np.array([True, True, False, False])

    def predict(block):
        return np.tanh(np.nan_to_num(block).sum(axis=0) + np.nan_to_num(block[0] * block[1]))

    found = what_layers_would_tell(predict, asked, given, member)
    missing = (np.isnan(asked) & member).any(axis=1)
    expected = [slow_variance(predict, cell, given, member) for cell in asked[missing]]
    np.testing.assert_allclose(found[missing], expected, rtol=1e-6)
    assert missing.sum() > 3


def slow_traverse(xy, said, length, step):
    """Every line, by regression of every cell on the mean along it."""
    best = 0.0
    whole = 0.0
    lines = []
    for middle in xy:
        for angle in np.deg2rad([0, 45, 90, 135]):
            along = np.array([np.sin(angle), np.cos(angle)])
            across = np.array([along[1], -along[0]])
            on = [
                k
                for k, place in enumerate(xy)
                if abs((place - middle) @ along) <= length / 2
                and abs((place - middle) @ across) < step / 2
            ]
            reach = np.array([(xy[k] - middle) @ along for k in on])
            low, high = (
                max(reach.min() - step / 2, -length / 2),
                min(reach.max() + step / 2, length / 2),
            )
            lines.append((high - low, on))
            whole = max(whole, high - low)
    for size, on in lines:
        if size < whole / 2:
            continue
        mean = said[:, on].mean(axis=1)
        fall = 0.0
        for cell in said.T:
            left = cell - np.polyval(np.polyfit(mean, cell, 1), mean)
            fall += cell.var() - left.var()
        best = max(best, fall)
    return best


@pytest.mark.parametrize("seed", range(3))
def test_the_best_traverse_is_the_best_of_all(seed):
    rng = np.random.default_rng(seed)
    rows, cols = np.nonzero(rng.random((9, 11)) < 0.6)
    xy = np.column_stack([cols * 250.0, rows * 250.0])
    said = rng.normal(size=(20, 4)) @ rng.normal(size=(4, len(xy))) + rng.normal(size=(20, len(xy)))
    common = np.cov(said.T, ddof=0)
    line, fall = best_traverse(xy, common, 1000.0)
    assert fall == pytest.approx(slow_traverse(xy, said, 1000.0, 250.0))
    assert fall <= np.trace(common)
    assert np.hypot(*(line[1] - line[0])) <= 1000 + 1e-6


def test_draws_that_agree_have_no_traverse():
    xy = np.column_stack([np.arange(5) * 250.0, np.zeros(5)])
    assert best_traverse(xy, np.zeros((5, 5)), 1000.0) == (None, 0.0)


def test_one_cell_is_a_traverse_of_a_target_of_one():
    line, fall = best_traverse(np.zeros((1, 2)), np.array([[0.04]]), 1000.0)
    assert fall == pytest.approx(0.04)
    assert np.isfinite(line).all()


def learnt(made):
    rng = np.random.default_rng(4)
    features = rng.normal(size=(300, 4)).astype(np.float32)
    return made.fit(features, features[:, 0] + rng.normal(size=300) > 1), features


def test_the_covariance_of_a_latin_square_has_the_spread_on_its_diagonal():
    fitted, features = learnt(TrainingDraws(n_draws=8, random_state=0))
    draws = Draws.of(fitted, features)
    # Of a single cell nothing negative is cut off by others.
    for k in range(0, 300, 60):
        own = draws.covariance(np.arange(300) == k)[0, 0]
        variances = fitted.variances(features[[k]])
        assert own == pytest.approx(variances.sum(), abs=max(1e-9, own)) or (variances == 0).any()
        if (variances[:2] > 0).all():
            assert own == pytest.approx(variances.sum())
    whole = draws.covariance(np.ones(300, bool))
    np.testing.assert_allclose(whole, whole.T)
    assert np.linalg.eigvalsh(whole).min() > -1e-9


def test_the_covariance_of_draws_is_that_of_numpy():
    fitted, features = learnt(NegativeDraws(n_draws=6, random_state=0))
    said = fitted.scores(features)[:, :50]
    found = Draws.of(fitted, features).covariance(np.arange(300) < 50)
    np.testing.assert_allclose(found, np.cov(said.T, ddof=0), atol=1e-12)


def test_a_model_without_draws_has_none():
    from sklearn.linear_model import LogisticRegression

    fitted, features = learnt(LogisticRegression())
    assert Draws.of(fitted, features) is None


def test_cells_of_a_shape_lie_in_it():
    row, col = cells_of(box(499_000, 4_395_100, 503_000, 4_401_000), GRID)
    assert (row.min(), row.max(), col.min(), col.max()) == (0, 9, 0, 5)
    assert row.size == 60
    assert cells_of(box(0, 0, 1, 1), GRID)[0].size == 0
    row, _ = cells_of(box(*GRID.bounds), GRID)
    assert 0.2 * CELLS < row.size <= CELLS


@pytest.fixture(scope="module")
def gold_model(world):
    """One whose map has a spread."""
    return train(
        open_stack(world),
        world.occurrences,
        "gold",
        estimator=TrainingDraws(n_draws=4, random_state=0),
        background=500,
        workers=2,
    )


@pytest.fixture(scope="module")
def scored(gold_model, world, tmp_path_factory):
    path = tmp_path_factory.mktemp("narrowing") / "gold.tif"
    return score(gold_model, open_stack(world), path, workers=2)


def test_targets_are_told_of(gold_model, world, scored):
    stack = open_stack(world)
    found = narrow(find_targets(scored, gold_model, area=0.1), gold_model, stack, workers=2)
    told = found[found["line_to"].notna()]
    assert len(told) > 5
    assert ((told["line_to"] >= 0) & (told["line_to"] <= told["line_from"])).all()
    for _, row in told.iterrows():
        ends = np.array([[row["line_x1"], row["line_y1"]], [row["line_x2"], row["line_y2"]]])
        assert np.hypot(*(ends[1] - ends[0])) <= 2000 + 1e-6
        west, south, east, north = row.geometry.bounds
        assert (ends >= np.array([west, south]) - 1).all()
        assert (ends <= np.array([east, north]) + 1).all()
    missed = found[found["layer"] != ""]
    assert set(missed["layer"]) <= {"geochemistry", "geology", "magnetics", "faults", "gravity"}
    assert ((missed["layer_gap"] > 0) & (missed["layer_move"] >= 0.005)).all()
    lines = traverses_of(found)
    assert list(lines["order"]) == list(range(1, len(told) + 1))


def uncertain(scored):
    """Where the draws disagree most."""
    opened = open_map(scored)
    row, col = np.unravel_index(np.nanargmax(opened.read("spread")), opened.grid.shape)
    return opened.grid.x[col], opened.grid.y[row]


def test_the_spread_before_is_that_of_the_map(gold_model, world, scored):
    stack = open_stack(world)
    grid = Grid.of(stack)
    x, y = uncertain(scored)
    block = frame({"rank": [1]}, [box(x - 600, y - 600, x + 600, y + 600)], grid.crs)
    found = narrow(block, gold_model, stack, workers=2).iloc[0]
    row, col = cells_of(block.geometry.iloc[0], grid)
    spread = open_map(scored).read("spread")[row, col]
    assert found["line_from"] == pytest.approx(np.sqrt(np.mean(spread**2)), rel=0.03)


def test_only_the_first_of_each_list_are_looked_at(gold_model, world, scored):
    stack = open_stack(world)
    x, y = uncertain(scored)
    many = [box(x - 800, y - 800, x + 800, y + 800)] * (LOOKED_AT + 2)
    table = frame({"rank": np.arange(len(many)), "area_km2": 2.56}, many, "EPSG:32642")
    found = narrow(table, gold_model, stack, workers=2)
    assert found["line_to"].notna().sum() == LOOKED_AT


def test_a_traverse_has_a_length(gold_model, world):
    table = frame({"rank": [1]}, [box(0, 0, 1, 1)], "EPSG:32642")
    with pytest.raises(ModelError, match="length in metres"):
        narrow(table, gold_model, open_stack(world), length=0)


def test_the_command_tells_and_writes(gold_model, world, region_folder, scored, tmp_path):
    path = gold_model.save(tmp_path / "gold.prospect")
    output = tmp_path / "t.gpkg"
    arguments = ["targets", str(scored), str(path), "-o", str(output), "--format", "gpx"]
    plain = CliRunner().invoke(main, ["targets", str(scored), "--project", str(region_folder)])
    assert plain.exit_code == 2
    assert "give MODEL too" in plain.output
    found = CliRunner().invoke(main, [*arguments, "--project", str(region_folder)])
    assert found.exit_code == 0, found.output
    assert "a traverse of " in found.output
    lines = read_vector(tmp_path / "gold-traverses.gpkg")
    assert (lines.geometry.length <= 2000 + 1e-6).all()
    assert "line_to" in read_vector(output)
    assert "T1-1" in (tmp_path / "t.gpx").read_text(encoding="utf-8")


def test_deposits_expected_take_in_the_spread(gold_model, world, tmp_path):
    from dataclasses import replace

    from prospect.calibration import Prior

    stack = open_stack(world)
    cells = int(gold_model.record["grid"]["ground_cells"])
    model = replace(gold_model, prior=Prior.of(cells, expected=(20,)))
    path = score(model, stack, tmp_path / "gold.tif", workers=2)
    before = find_targets(path, model, area=0.1)
    after = narrow(before, model, stack, workers=2)
    assert set(before["expected_by"]) == {"chance alone"}
    told = after["expected_by"] == "chance and spread"
    assert told.sum() > 5
    np.testing.assert_array_equal(before["expected"], after["expected"])
    # Of a mean far below one a wider mixture has more zeros, and so no higher an end.
    many = after["expected"] > 0.5
    assert (after["expected_high"] >= before["expected_high"])[many].all()
    assert (after["expected_high"] > before["expected_high"]).any()
    assert (after["expected_low"] <= before["expected_low"]).all()


def test_the_page_tells_of_it(gold_model, world, scored, tmp_path):
    import json
    import re

    from prospect.report import write_report

    found = narrow(find_targets(scored, gold_model, area=0.1), gold_model, open_stack(world))
    write_vector(found, tmp_path / "t.gpkg")
    page = write_report(
        tmp_path / "gold.html", scored, gold_model, targets=read_vector(tmp_path / "t.gpkg")
    ).read_text(encoding="utf-8")
    assert "What would narrow the spread" in page
    data = re.search('<script id="data" type="application/json">(.*?)</script>', page, re.DOTALL)
    told = json.loads(data[1])
    assert len(told["traverses"]) == found["line_to"].notna().sum()
    first = told["targets"][0]
    assert first["told"][0] == ["Target", "T1"]
    assert first["peak"] == pytest.approx(found.iloc[0][["x", "y"]].to_numpy(float) / 1000)
