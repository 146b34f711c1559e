"""Where deposits would have been seen, and background drawn like it."""

from dataclasses import replace

import numpy as np
import pytest

from prospect.commodities import load_commodity
from prospect.detectability import (
    FAMILIES,
    ROWS,
    chance_of,
    covered_mask,
    learn_detectability,
    with_cover,
)
from prospect.errors import LabelError
from prospect.grid import Grid, Window
from prospect.labels import read_labels
from prospect.roles import family
from prospect.samples import background_cells
from prospect.stack import open_stack


@pytest.fixture(scope="module")
def stack(world):
    return open_stack(world)


@pytest.fixture(scope="module")
def gold(stack, world):
    return read_labels(world.occurrences, load_commodity("gold"), Grid.of(stack))


def test_its_roles_are_not_those_of_any_evidence():
    families = {family(item) for row in ROWS for item in (row["of"],)}
    assert families | {"cover"} == set(FAMILIES)


def test_cover_is_read_from_classes_thickness_and_polygons(make_stack):
    thickness = np.array([[0.0, 2.0, np.nan]], np.float32)
    classes = np.array([[0, 1, -1]], np.int32)
    attrs = {"a": {"role": "cover.thickness"}}
    assert covered_mask(make_stack(a=thickness, attrs=attrs)).tolist() == [[False, True, False]]
    for table, expected in (
        ({}, [[False, True, False]]),
        ({0: "Quaternary", 1: "Outcrop"}, [[True, False, False]]),
    ):
        stack = make_stack(a=classes, attrs={"a": {"role": "cover.surficial", "classes": table}})
        assert covered_mask(stack).tolist() == expected
    assert covered_mask(make_stack(b=thickness)) is None


def test_background_lies_under_cover_as_often_as_deposits(stack, gold):
    grid = Grid.of(stack)
    counts = np.ones(grid.shape, bool)
    covered = covered_mask(stack)
    inside = covered[gold.row, gold.col]
    assert 0 < covered.mean() < 1
    chance, notes = chance_of("cover", stack, gold, counts)
    row, col, _ = background_cells(gold, counts, grid, 1500, chance=chance, random_state=1)
    share = np.average(inside, weights=gold.weight)
    assert covered[row, col].mean() == pytest.approx(share, abs=0.02)
    assert "of the ground lie under cover" in notes[0]
    # All under cover: then all background is, too.
    row, col = np.argwhere(covered)[:20].T
    hidden = replace(gold, row=row, col=col, weight=np.ones(20))
    chance, _ = chance_of("cover", stack, hidden, counts)
    assert chance[covered].min() > 0
    assert chance[~covered].max() == 0


def test_cover_comes_back_to_a_project_that_was_cut(world):
    cut = world.without(["cover", "gravity"])
    again = with_cover(cut, world)
    assert {s.name for s in again.layers} == {s.name for s in world.layers} - {"gravity"}
    assert with_cover(world, world) == world


def test_without_a_map_of_cover_that_is_said(stack, gold):
    counts = np.ones(Grid.of(stack).shape, bool)
    chance, notes = chance_of("cover", stack.drop_vars("cover"), gold, counts)
    assert chance is None
    assert "not matched" in notes[0]
    assert chance_of("none", stack, gold, counts) == (None, [])
    with pytest.raises(LabelError, match="matched on none, cover, detectability"):
        chance_of("snow", stack, gold, counts)


def test_what_hides_deposits_is_learnt(stack, gold):
    """Occurrences put on gentle ground are told to be seen there."""
    grid = Grid.of(stack)
    counts = np.ones(grid.shape, bool)
    learnt = learn_detectability(stack, gold, counts)
    assert learnt.names == ("covered", "slope", "position")
    block = learnt.conditions(stack, grid.window)
    slope = block[1]
    level = np.argwhere((slope < np.nanquantile(slope, 0.2)) & (block[0] == 0))
    row, col = level[:: len(level) // 60].T
    one = np.arange(row.size)
    put = replace(gold, row=row, col=col, x=grid.x[col], y=grid.y[row], weight=one + 1.0, group=one)
    put = replace(put, other_x=gold.other_x[:0], other_y=gold.other_y[:0])
    learnt = learn_detectability(stack, put, counts)
    chance = learnt.chance(stack)
    assert chance.shape == grid.shape
    assert np.isfinite(chance).all()
    assert chance.min() >= 1 / 20 - 1e-6
    assert chance[slope < 0.5 * np.nanmedian(slope)].mean() > 2 * np.nanmean(chance)
    assert "slope -" in learnt.summary()
    # It is a function of the cell and its surroundings alone.
    part = learnt.conditions(stack, Window(10, 20, 30, 40))
    np.testing.assert_array_equal(part[0], block[0, 10:40, 20:60])


def test_gaps_in_the_evidence_are_a_condition(stack, gold):
    from prospect.features import FeatureBuilder
    from prospect.matching import bind

    counts = np.ones(Grid.of(stack).shape, bool)
    builder = FeatureBuilder([{"name": "z", "operation": "value", "of": "geochemistry.Sb"}])
    bindings = bind(builder.fit(stack).layers_, stack)
    learnt = learn_detectability(stack, gold, counts, bindings.values())
    assert learnt.names[-1] == "gaps"
    gaps = learnt.conditions(stack, Grid.of(stack).window)[-1]
    np.testing.assert_array_equal(gaps, np.isnan(stack["Sb_ppm"].values))


def test_what_cannot_be_told_is_refused(stack, gold):
    counts = np.zeros(Grid.of(stack).shape, bool)
    with pytest.raises(LabelError, match="0 occurrences stand on usable ground"):
        learn_detectability(stack, gold, counts)
    with pytest.raises(LabelError, match="No layer says where deposits would have been seen"):
        learn_detectability(stack[["gravity"]], gold, ~counts)
