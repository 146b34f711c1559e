"""A model learnt again with what was found."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from prospect import commodities
from prospect.calibration import Prior
from prospect.cli import main
from prospect.commodities import load_commodity
from prospect.errors import ModelError
from prospect.model import load_model
from prospect.stack import open_stack
from prospect.tables import read_table
from prospect.training import train
from prospect.updating import Update, _definition, update
from prospect.vector import read_points
from tests.conftest import few_cells


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


def test_the_command_learns_from_layers_that_are_new(world, small_forest, tmp_path):
    from click.testing import CliRunner

    stack = open_stack(world)
    missing = next(name for name, layer in stack.items() if "magnetics" in layer.attrs["role"])
    early = train(
        stack.drop_vars(missing),
        world.occurrences,
        "gold",
        estimator=small_forest,
        background=300,
        workers=2,
    )
    path = early.save(tmp_path / "gold.prospect")
    result = CliRunner().invoke(main, ["update", str(path), str(world.folder), "-q"])
    assert result.exit_code == 0, result.output
    assert f"Layers that the old model did not have: {missing}." in result.output
    after = load_model(tmp_path / "gold-new.prospect")
    assert set(after.builder.layers_) == {*early.builder.layers_, missing}


def test_a_definition_of_ones_own_has_to_be_given_again(gold_model, world, tmp_path, monkeypatch):
    monkeypatch.setattr("prospect.updating.train", None)
    assert _definition(gold_model, None).digest == gold_model.record["definition"]
    own = tmp_path / "gold.toml"
    text = (Path(commodities.__file__).parent / "gold.toml").read_text(encoding="utf-8")
    own.write_text(text.replace('title = "', 'title = "My ', 1), encoding="utf-8")
    record = {**gold_model.record, "definition": load_commodity(own).digest}
    model = replace(gold_model, record=record)
    with pytest.raises(ModelError, match="another definition of gold than the one that comes"):
        update(model, open_stack(world), world.occurrences)
    assert _definition(model, own).title.startswith("My ")


class Asked(Exception):
    """Training was asked, with what it holds."""


@pytest.fixture
def asked(monkeypatch):
    """What training is asked, without doing it."""

    def ask(model, stack, **options):
        def train(*_, **given):
            raise Asked(given)

        monkeypatch.setattr("prospect.updating.train", train)
        with pytest.raises(Asked) as stopped:
            update(model, stack, "none.csv", **options)
        return stopped.value.args[0]

    return ask


def test_a_prior_keeps_its_range(gold_model, world, asked):
    stack = open_stack(world)
    for stated in ({"expected": (5, 10, 30)}, {"prior": 0.001}):
        given = asked(replace(gold_model, prior=Prior.of(20_000, **stated)), stack)
        assert {key: given[key] for key in ("prior", "expected")} == {
            "prior": None, "expected": None, **stated,
        }  # fmt: skip
        assert Prior.of(20_000, prior=given["prior"], expected=given["expected"]) == Prior.of(
            20_000, **stated
        )


def test_folds_and_background_are_as_many_as_they_were(gold_model, world, asked):
    record = {**gold_model.record, "folds": {"blocks": {"size": 9e3, "n_splits": 3}}}
    given = asked(replace(gold_model, record=record), open_stack(world))
    assert (given["n_splits"], given["block_size"], given["background"]) == (3, 9e3, 500)


def test_a_learner_known_by_its_name_is_made_for_the_new_features(world, asked, monkeypatch):
    few_cells(monkeypatch)
    stack = open_stack(world)
    early = train(stack, world.occurrences, "gold", estimator="woe", n_splits=3, workers=2)
    name = next(n for n, layer in stack.items() if layer.dtype.kind == "f")
    stack[name].attrs["sign"] = "+"
    found = update(early, stack, world.occurrences, workers=2).after
    assert set(found.feature_names) == {*early.feature_names, f"own_{name}"}
    assert found.estimator.signs == found.builder.signs
    assert found.record["learner"] == "woe"
    # An estimator of one's own cannot be made anew: nobody knows its signs.
    own = replace(early, record={**early.record, "learner": "WeightsOfEvidence"})
    with pytest.raises(ModelError, match="was given 'signs' for those: train anew"):
        update(own, stack, world.occurrences, workers=2)
    del stack[name].attrs["sign"]
    assert asked(own, stack)["estimator"].signs == early.builder.signs


def test_layers_that_the_old_model_lacks_are_told_before_learning(gold_model, world, monkeypatch):
    monkeypatch.setattr("prospect.updating.train", None)
    stack = open_stack(world).drop_vars(next(iter(gold_model.builder.layers_)))
    with pytest.raises(ModelError, match="The model needs the layer"):
        update(gold_model, stack, world.occurrences)


def test_a_deposit_type_stays_with_a_definition_of_ones_own(gold_model, tmp_path):
    own = tmp_path / "own.toml"
    own.write_text((Path(commodities.__file__).parent / "gold.toml").read_text("utf-8"), "utf-8")
    record = {**gold_model.record, "definition": load_commodity("au_irgs").digest}
    typed = replace(gold_model, commodity="au_irgs", record=record)
    assert [_definition(typed, source).type for source in (None, own)] == ["au_irgs", "au_irgs"]
    assert _definition(gold_model, own).type == ""
