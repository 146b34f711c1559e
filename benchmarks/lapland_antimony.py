"""
Lapland antimony: where the till holds most antimony, from every other layer.

An engineering test of the learners on real numbers and real gaps, and no proof of the
antimony definition: its labels are the best 2 % of cells of an assay, not deposits. With the
real data at hand::

    python benchmarks/lapland_antimony.py ../shared/data/lapland_gold [--part 0/2]
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from comparison import DISTANCE, MEASURES, Draw, blocks, differences, in_parts, keep_run, values
from lapland_gold import open_lapland, raw_builder, splitter_of
from scipy.ndimage import label

from prospect.commodities import load_commodity
from prospect.features import FeatureBuilder
from prospect.grid import Grid
from prospect.ground import Ground
from prospect.labels import Labels
from prospect.learners import DEFAULT
from prospect.matching import bind
from prospect.samples import draw_samples, features_at, ground_mask
from prospect.stack import open_stack

HERE = Path(__file__).parent
ANTIMONY, ARSENIC = "geochemistry_till_gc_sb", "geochemistry_till_gc_as"
VARIANTS = {"with As": (ANTIMONY,), "without As": (ANTIMONY, ARSENIC)}
TOP = 0.02
CELLS = 400
SEEDS = (0, 1)
BLOCK = 40_000.0
NAMES = [DEFAULT, "plain forest", "plain logistic", "woe", "fuzzy", DISTANCE, "extra-trees"]
REPEATS = 200


def names_of(variant: str) -> list[str]:
    """The learners; without arsenic no evidence has a sign, and so there is no fuzzy overlay."""
    return [name for name in NAMES if name != "fuzzy" or ARSENIC not in VARIANTS[variant]]


def labels_of(data: Path, grid: Grid, ground: np.ndarray) -> tuple[Labels, np.ndarray, int]:
    """Cells of the highest antimony, the blobs they stand in, and how many cells hold it."""
    own = open_stack([data / "rasters" / f"{n}.tif" for n in (ANTIMONY, "geophysics_magnetic")],
                     like="geophysics_magnetic")  # fmt: skip
    content = own[ANTIMONY].to_numpy()
    known = np.isfinite(content) & ground
    high = known & (content >= np.quantile(content[known], 1 - TOP))
    blob = label(high, structure=np.ones((3, 3)))[0]
    row, col = np.nonzero(high)
    drawn = np.sort(np.random.default_rng(0).permutation(row.size)[:CELLS])
    count = int(row.size)
    row, col = row[drawn], col[drawn]
    nothing = np.empty(0)
    labels = Labels(
        row=row,
        col=col,
        x=grid.x[col],
        y=grid.y[row],
        weight=np.ones(row.size),
        group=np.unique(blob[row, col], return_inverse=True)[1].astype(np.int64),
        name=np.full(row.size, "", object),
        source=np.arange(row.size) + 1,
        other_x=nothing,
        other_y=nothing,
        barren_row=nothing.astype(int),
        barren_col=nothing.astype(int),
    )
    return labels, known, count


def draw_of(data: Path, variant: str, folder: Path) -> Draw:
    """Samples of a variant, made once."""
    path = folder / f"draw_{variant.replace(' ', '_')}.npz"
    if path.exists():
        return Draw.load(path)
    stack = open_lapland(data, without=VARIANTS[variant])
    grid = Grid.of(stack)
    builder = FeatureBuilder(load_commodity("antimony").recipe).fit(stack)
    ground = ground_mask(stack, Ground(), bind(builder.layers_, stack), workers=1)
    labels, known, _ = labels_of(data, grid, ground)
    samples = draw_samples(builder, stack, labels, known, workers=1)
    row, col, _ = grid.index(samples.x, samples.y)
    raw, plain = raw_builder(stack)
    layers = features_at(raw, plain, row, col, workers=1)
    inside = np.ones(samples.kind.size, bool)
    made = Draw(samples, layers, builder.signs, inside, builder.reach())
    made.save(path)
    return made


def all_runs() -> Iterator[tuple[str, str, int]]:
    """Variant, folds and seed."""
    for seed in SEEDS:
        for variant in VARIANTS:
            yield variant, "block", seed
            if seed == 0:
                yield variant, "random", seed


def run(data: Path, folder: Path, part: int, parts: int) -> None:
    """The runs of a part."""
    for number, (variant, kind, seed) in enumerate(all_runs()):
        if number % parts == part:
            draw = draw_of(data, variant, folder)
            splitter = splitter_of(kind, seed, draw.reach)
            key = f"{variant.replace(' ', '_')}_{kind}_{seed}"
            keep_run(folder, key, draw, names_of(variant), splitter, 0)


def tell(data: Path, folder: Path) -> str:
    """The page."""
    lines = [
        "# Lapland antimony",
        "",
        "An engineering test of the learners, not of the antimony definition: labels are cells of "
        f"the highest {TOP:.0%} of antimony in till, of which {CELLS} were drawn, and every layer "
        "but that one is evidence. Neighbouring assays of one laboratory tell much of each other; "
        "no public table of antimony deposits was found.",
    ]
    for variant in VARIANTS:
        draw = draw_of(data, variant, folder)
        samples = draw.samples
        found = samples.kind == 1
        sizes = np.sort(np.bincount(samples.group[found]))[::-1]
        # A blob stands or falls together; other ground by blocks.
        clusters = blocks(samples, BLOCK)
        clusters[found] = -1 - samples.group[found]
        runs: dict[str, dict[Any, Any]] = {}
        for each, kind, seed in all_runs():
            if each == variant:
                path = folder / f"{variant.replace(' ', '_')}_{kind}_{seed}.npz"
                kept = dict(np.load(path))
                runs.setdefault(kind, {})[0, seed] = {n: kept[n] for n in names_of(variant)}
        told = {
            (kind, label_): values(each, {0: draw}, measure)
            for kind, each in runs.items()
            for label_, measure in MEASURES.items()
        }
        found_leads = differences(runs["block"], {0: draw}, {0: clusters}, DEFAULT, repeats=REPEATS)
        leads = list(found_leads.values())
        lines += [
            "",
            f"## {variant[0].upper()}{variant[1:]}",
            "",
            f"{sizes.size} blobs, the largest ten with {sizes[:10].sum() / sizes.sum():.0%} of the "
            f"cells. Means of {len(runs['block'])} draws of {BLOCK / 1000:g} km block folds; "
            "intervals of 90 % by drawing blobs and blocks again.",
            "",
            "| | AUC, block | capture at 5 %, block | AUC, random | capture, random | the default "
            "less this, AUC | and capture |",
            "|---|---|---|---|---|---|---|",
        ]
        for name in names_of(variant):
            cells = [
                f"{told[kind, label_][name].mean():.3f}"
                for kind in ("block", "random")
                for label_ in MEASURES
            ]
            cells += [
                "" if name == DEFAULT else "{:+.3f} ({:+.3f} to {:+.3f})".format(*lead[name])
                for lead in leads
            ]
            title = f"**{name}** (the default)" if name == DEFAULT else name
            lines.append(f"| {title} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    page = HERE / "results" / "lapland_antimony.md"
    in_parts(__doc__.splitlines()[1], "prospect_lapland_antimony", run, tell, page)
