"""A model learnt again with what was found."""

import numpy as np
import pytest

from prospect.cli import main
from prospect.stack import open_stack
from prospect.tables import read_table
from prospect.training import train
from prospect.updating import Update, update
from prospect.vector import read_points


@pytest.fixture(scope="module")
def seasons(world, small_forest):
    """All occurrences, and a model that did not know those in the north."""
    every = read_points(world.occurrences.path, crs="EPSG:32642")
    north = np.asarray(every.geometry.y) > np.quantile(every.geometry.y, 0.7)
    early = train(
        open_stack(world),
        every[~north].reset_index(drop=True),
        "gold",
        estimator=small_forest,
        background=300,
        workers=2,
    )
    return early, every


def test_what_was_found_is_a_test_of_the_old_model(seasons, world):
    early, every = seasons
    found = update(early, open_stack(world), every, workers=2)
    before, after = (m.record["labels"]["deposits"] for m in (early, found.after))
    assert after > before
    assert 0 < found.foretold.size <= after - before
    assert ((found.foretold >= 0) & (found.foretold <= 1)).all()
    # Better than chance, which would leave half of the ground ahead.
    assert np.median(found.foretold) < 0.4
    page = found.page()
    assert f"{before} known deposits before, {after} now" in page
    assert "new. The old model, which did not know" in page
    assert found.after.record["folds"].keys() == early.record["folds"].keys()
    assert found.after.record["random_state"] == early.record["random_state"]


def test_without_new_deposits_nothing_is_foretold(gold_model, world):
    found = update(gold_model, open_stack(world), world.occurrences, workers=2)
    assert found.foretold.size == 0
    assert "No deposit is new" in found.page()


def test_shares_of_the_ground_are_counted_in_words(gold_model):
    told = Update(gold_model, gold_model, np.array([0.01, 0.1, 0.6])).page()
    assert "3 are new" in told
    assert "1 in its best 5%, 2 in its best 20%" in told
    assert "the middle one lay behind 10%" in told
    assert "1 is new. The old model, which did not know it" in (
        Update(gold_model, gold_model, np.array([0.01])).page()
    )


def test_the_command_writes_a_model_and_says_what_changed(gold_model, world, tmp_path):
    from click.testing import CliRunner

    path = gold_model.save(tmp_path / "gold.prospect")
    table = read_table(world.occurrences.path)
    table.to_csv(tmp_path / "found.csv", index=False)
    arguments = ["update", path, world.folder, "--occurrences", tmp_path / "found.csv"]
    result = CliRunner().invoke(main, [*map(str, arguments), "--crs", "EPSG:32642", "-q"])
    assert result.exit_code == 0, result.output
    assert "known deposits before" in result.output
    assert (tmp_path / "gold-new.prospect").is_file()
