"""Tiles: which parts of them count, how they are laid, and what memory that takes."""

import numpy as np
import pytest

from prospect.bands import LIKELIHOOD, SPREAD, Band
from prospect.errors import ModelError
from prospect.features import FeatureBuilder, overlap
from prospect.grid import Grid
from prospect.scoring import plan as planning
from prospect.scoring.plan import lay_plan
from prospect.scoring.tile import parts_that_count

DRIVER = Band("driver", "what counts most", classes=("a", "b"))


@pytest.fixture
def recipe(make_stack, field):
    """The plan of a recipe of any number of features, and its cell."""

    def make(features=10, radius=500.0):
        rows = [
            {"name": f"m{k}", "operation": "focal_mean", "of": "a", "radius": radius + 100 * k}
            for k in range(features)
        ]
        builder = FeatureBuilder(rows).fit(make_stack(a=field((300, 300))))
        return builder.plan(), builder.cell_

    return make


def grid_of(rows, cols):
    return Grid("EPSG:32642", (100, 0, 0, 0, -100, 0), (rows, cols))


@pytest.mark.parametrize("tile", [None, 1, 300, 5000])
@pytest.mark.parametrize("workers", [1, 3])
def test_tiles_cover_the_grid_once_in_lattice_blocks(recipe, tile, workers):
    grid = grid_of(700, 1300)
    seen = np.zeros(grid.shape, int)
    found = lay_plan(grid, *recipe(), [LIKELIHOOD], tile=tile, workers=workers)
    for window in found.windows:
        assert window.row % 256 == window.col % 256 == 0
        seen[window.slices] += 1
    assert (seen == 1).all()
    assert found.cells == seen.size


def test_tiles_are_as_large_as_memory_allows_and_wide(recipe, monkeypatch):
    # What this process holds already depends on the tests before.
    monkeypatch.setattr(planning, "resident", lambda: 0.0)
    grid, bands = grid_of(20_000, 36_000), [LIKELIHOOD, SPREAD]
    plan, cell = recipe(60)
    sizes = []
    for memory in (0.8e9, 1.5e9, 6e9):
        found = lay_plan(grid, plan, cell, bands, workers=2, max_memory=memory)
        assert found.memory <= memory
        height, width = found.shape
        assert width >= height
        sizes.append(height * width)
    assert sizes == sorted(sizes)
    assert sizes[0] < sizes[-1]


def test_where_memory_is_short_no_rows_are_kept(recipe, monkeypatch):
    monkeypatch.setattr(planning, "resident", lambda: 0.0)
    grid = grid_of(20_000, 36_000)
    short, ample = (
        lay_plan(grid, *recipe(60), [LIKELIHOOD], workers=2, max_memory=memory, deeper=511)
        for memory in (0.65e9, 1.5e9)
    )
    assert ample.overlap
    assert not short.overlap
    assert short.memory <= 0.65e9


def test_processes_need_more_memory_than_threads(recipe):
    grid = grid_of(20_000, 36_000)
    threads, processes = (
        lay_plan(grid, *recipe(), [LIKELIHOOD], workers=2, engine=engine, tile=512)
        for engine in ("threads", "processes")
    )
    # Threads keep rows for each other instead.
    assert processes.memory > threads.memory - overlap.MOST + 2 * planning.BASE


def test_too_little_memory_is_told_in_a_sentence(recipe):
    grid = grid_of(5000, 5000)
    plan, cell = recipe(60, radius=20_000)
    with pytest.raises(ModelError, match=r"GB of memory are needed .* but 0\.40 GB are allowed"):
        lay_plan(grid, plan, cell, [LIKELIHOOD], max_memory=0.4e9, workers=2)
    # Fewer workers are taken where their number was not asked for.
    need = lay_plan(grid, plan, cell, [LIKELIHOOD], tile=256, workers=1, max_memory=1).memory
    found = lay_plan(grid, plan, cell, [LIKELIHOOD], max_memory=need * 1.01)
    assert found.workers == 1


@pytest.mark.parametrize("asked", [{}, {"tile": 256}, {"max_memory": 8e9}])
def test_what_cannot_end_well_is_told_before(recipe, monkeypatch, asked):
    monkeypatch.setattr(planning, "free_memory", lambda: 0.3e9)
    with pytest.raises(ModelError, match=r"cells at a time, .* but 0\.30 GB are free: end other"):
        lay_plan(grid_of(5000, 5000), *recipe(60), [LIKELIHOOD], workers=2, **asked)


def test_a_plan_is_told_in_a_line(recipe):
    told = lay_plan(grid_of(600, 600), *recipe(), [LIKELIHOOD], tile=512, workers=2).describe()
    assert told.startswith(
        "360,000 cells in 4 tiles of up to 512 × 512, 14 cells of halo; 2 threads"
    )
    assert "GB of memory" in told
    assert "of disk" in told


def test_the_disk_holds_every_band(recipe):
    grid = grid_of(1000, 1000)
    numbers = lay_plan(grid, *recipe(), [LIKELIHOOD, SPREAD]).disk
    assert lay_plan(grid, *recipe(), [LIKELIHOOD, SPREAD, DRIVER]).disk == numbers * 9 / 8
    assert lay_plan(grid, *recipe(), [LIKELIHOOD], to_disk=False).disk == 0


def counting(blocks, shape=(700, 900)):
    counts = np.zeros(shape, bool)
    for row, col in blocks:
        counts[row * 256 + 5, col * 256 + 5] = True
    return counts


@pytest.mark.parametrize(
    ("blocks", "parts"),
    [
        ([], []),
        ([(0, 0)], [(0, 0, 256, 256)]),
        ([(2, 3)], [(512, 768, 188, 132)]),
        ([(0, 0), (0, 1), (1, 0), (1, 1)], [(0, 0, 512, 512)]),
        ([(0, 0), (0, 2)], [(0, 0, 256, 256), (0, 512, 256, 256)]),
        ([(0, 0), (0, 1), (1, 1)], [(0, 0, 256, 512), (256, 256, 256, 256)]),
        ([(0, 1), (2, 1)], [(0, 256, 256, 256), (512, 256, 188, 256)]),
    ],
    ids=str,
)
def test_parts_that_count_are_runs_of_blocks(blocks, parts):
    assert [tuple(part) for part in parts_that_count(counting(blocks))] == parts


def test_parts_that_count_hold_every_cell_once():
    rng = np.random.default_rng(0)
    for _ in range(30):
        full = rng.random((3, 4)) < rng.random()
        counts = counting(zip(*np.nonzero(full), strict=True))
        seen = np.zeros(counts.shape, int)
        for part in parts_that_count(counts):
            assert part.row % 256 == part.col % 256 == 0
            seen[part.slices] += 1
            # No block of it is empty.
            for block in part.lattice_blocks():
                assert counts[block.slices].any()
        assert (seen[counts] == 1).all()
        assert seen.max() <= 1
