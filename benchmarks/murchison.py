"""
Murchison gold: what an AUC over a whole window says, and what it does not.

Distance to the nearest fault, over the window and within the greenstone, beside greenstone
yes or no alone; and the default model trained and measured inside the greenstone only, on all
that faults can tell. Run it with the real data at hand::

    python benchmarks/murchison.py ../shared/data/murchison_gold
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import shapely
from affine import Affine

from prospect.folds import BlockFolds, NearestNeighbourFolds, RandomFolds
from prospect.grid import Grid
from prospect.held_out import out_of_fold
from prospect.learners import DEFAULT, learner
from prospect.metrics import auc
from prospect.project import load_project
from prospect.raster import burn, write_geotiff
from prospect.stack import open_stack
from prospect.training import train
from prospect.validation import (
    baseline_scores,
    baselines,
    explain_permissive,
    permissive_table,
    samples_of,
)
from prospect.vector import read_vector, write_vector

WINDOW = (352_783.0, 6_699_742.0, 682_589.0, 7_101_484.0)
"""West, south, east, north: the study region of the data, in metres."""

CELL = 1_000.0
BLOCK = 40_000.0
SYSTEM = "EPSG:32750"
"""Not stated upstream; nothing here depends on it."""

SEEDS = range(5)

_PROJECT = """
format = 1
[grid]
like = "greenstone"
[layers.greenstone]
path = "greenstone.tif"
band = 1
role = "geology.lithology"
kind = "categorical"
[layers.greenstone.classes]
"1" = "other rock"
"2" = "greenstone"
[vectors.faults]
path = "faults.gpkg"
role = "faults.strike_slip"
"""


def project_of(folder: Path, faults: pd.DataFrame, rock: object) -> Path:
    """The data as a project: greenstone burnt in, faults as they are."""
    west, south, east, north = WINDOW
    shape = int((north - south) // CELL), int((east - west) // CELL)
    grid = Grid(SYSTEM, Affine(CELL, 0, west, 0, -CELL, north), shape)
    inside = burn([rock], grid) > 0
    write_geotiff(
        folder / "greenstone.tif", (1 + inside).astype(np.uint8), grid, nodata=0,
        description="greenstone", unit="",
    )  # fmt: skip
    write_vector(faults, folder / "faults.gpkg", layer="faults")
    path = folder / "prospect.toml"
    path.write_text(_PROJECT, encoding="utf-8")
    return path


def model_within(faults: pd.DataFrame, gold: pd.DataFrame, rock: object) -> list[str]:
    """The default model and the baselines inside the greenstone, in three kinds of folds."""
    with tempfile.TemporaryDirectory() as folder:
        stack = open_stack(load_project(project_of(Path(folder), faults, rock).parent))
        model = train(
            stack,
            gold,
            "gold",
            permissive="greenstone in (greenstone)",
            block_size=BLOCK,
            workers=1,
        )
        samples = samples_of(model, stack, workers=1)
    reach = model.builder.reach()
    found, area = samples.kind == 1, samples.kind == -1
    signs = model.builder.signs
    told: dict[str, dict[str, list[float]]] = {}
    others = {"extra-trees": learner("extra-trees", signs, n_jobs=1)}
    for kind in ("block", "kNNDM", "random"):
        for seed in SEEDS if kind == "block" else SEEDS[:1]:
            splitter = {
                "block": BlockFolds(BLOCK, buffer=reach, random_state=seed),
                "kNNDM": NearestNeighbourFolds(buffer=reach),
                "random": RandomFolds(),
            }[kind]
            scores = {f"**{DEFAULT}** (the default)": model.estimator, **others}
            scores = {n: out_of_fold(each, samples, splitter)[1] for n, each in scores.items()}
            scores |= baseline_scores(baselines(signs), samples, splitter)[0]
            for name, score in scores.items():
                value = auc(score[found], score[area])
                told.setdefault(name, {}).setdefault(kind, []).append(value)
    cells = int(found.sum())
    lines = [
        "",
        "## A model inside the greenstone only",
        "",
        f"{np.unique(samples.group[found]).size} deposits in {cells} cells of {CELL / 1000:g} km, "
        f"{len(signs)} features of faults and nothing else. AUC within the greenstone:",
        "",
        f"| | {BLOCK / 1000:g} km block folds, mean of {len(SEEDS)} (range) | kNNDM | random |",
        "|---|---|---|---|",
    ]
    for name, row in told.items():
        block = row["block"]
        lines.append(
            f"| {name} | {np.mean(block):.3f} ({min(block):.3f}–{max(block):.3f}) | "
            f"{row['kNNDM'][0]:.3f} | {row['random'][0]:.3f} |"
        )
    return [
        *lines,
        "",
        "That is the honest number: known faults tell next to nothing of where in the greenstone "
        "the gold is. Nearness to known deposits does better in random folds only because these "
        "leave its neighbours to learn from.",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("data", type=Path, help="folder murchison_gold")
    folder = parser.parse_args().data
    tables = [
        read_vector(folder / f"{name}.gpkg", crs=SYSTEM)
        for name in ("gold_points", "faults", "greenstone")
    ]
    gold, faults, greenstone = (table.geometry.values for table in tables)
    west, south, east, north = WINDOW
    x, y = np.arange(west + CELL / 2, east, CELL), np.arange(south + CELL / 2, north, CELL)
    cells = shapely.points(*(axis.ravel() for axis in np.meshgrid(x, y)))
    rock = shapely.union_all(shapely.make_valid(greenstone))
    shapely.prepare(rock)
    tree, near, inside, block = shapely.STRtree(faults), [], [], []
    for points in (gold, cells):
        near.append(-shapely.distance(points, faults[tree.nearest(points)]))
        inside.append(shapely.covers(rock, points))
        place = np.column_stack([shapely.get_x(points), shapely.get_y(points)]) // BLOCK
        block.append((1000 * place[:, 0] + place[:, 1]).astype(int))
    table = permissive_table(*near, *inside, *block)
    lines = [
        "# Murchison gold",
        "",
        "Deposits, faults and greenstone as vectors, no rasters. Where an AUC is measured:",
        "",
        "| | AUC | 90 % interval | deposits | area |",
        "|---|---|---|---|---|",
    ]
    labels = ("distance to fault, whole window", "the same within greenstone", "greenstone alone")
    for label, (_, row) in zip(labels, table.iterrows(), strict=True):
        lines.append(
            f"| {label} | {row['value']:.3f} | {row['low']:.3f}–{row['high']:.3f} | "
            f"{row['deposits']:.0f} | {row['area']:.1%} |"
        )
    lines += ["", explain_permissive(table), *model_within(tables[1], tables[0], rock)]
    path = Path(__file__).parent / "results" / "murchison.md"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
