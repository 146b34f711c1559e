"""
Murchison gold: what an AUC over a whole window says, and what it does not.

Distance to the nearest fault, over the window and within the greenstone, beside greenstone
yes or no alone. Run it with the real data at hand::

    python benchmarks/murchison.py ../shared/data/murchison_gold
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import shapely

from prospect.validation import explain_permissive, permissive_table
from prospect.vector import read_vector

WINDOW = (352_783.0, 6_699_742.0, 682_589.0, 7_101_484.0)
"""West, south, east, north: the study region of the data, in metres."""

CELL = 1_000.0
BLOCK = 40_000.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("data", type=Path, help="folder murchison_gold")
    folder = parser.parse_args().data
    # The system is not stated; nothing here depends on it.
    gold, faults, greenstone = (
        read_vector(folder / f"{name}.gpkg", crs="EPSG:32750").geometry.values
        for name in ("gold_points", "faults", "greenstone")
    )
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
    print("| | AUC | 90 % interval | deposits | area |\n|---|---|---|---|---|")
    labels = ("distance to fault, whole window", "the same within greenstone", "greenstone alone")
    for label, (_, row) in zip(labels, table.iterrows(), strict=True):
        print(
            f"| {label} | {row['value']:.3f} | {row['low']:.3f}–{row['high']:.3f} | "
            f"{row['deposits']:.0f} | {row['area']:.1%} |"
        )
    print(f"\n{explain_permissive(table)}")


if __name__ == "__main__":
    main()
