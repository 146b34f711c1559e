"""
What background to learn from: eight made-up worlds whose truth is known.

``python benchmarks/backgrounds.py`` writes ``benchmarks/results/backgrounds.md``. Every way to
draw background trains the default learner, with a quarter of its trees, on the known deposits of
each world; its map is held against the truth, not against deposits: AUC of cells in proportion to
the deposits expected there.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

from prospect.commodities import load_commodity
from prospect.detectability import chance_of, covered_mask
from prospect.errors import LabelError
from prospect.features import FeatureBuilder
from prospect.grid import Grid
from prospect.labels import read_labels
from prospect.learners import extra_trees, fit, likelihood
from prospect.project import load_project
from prospect.samples import UNLIKE, Samples, background_cells
from prospect.stack import open_stack
from prospect.synthetic import make_region, write_region

WORLDS = range(20, 28)
"""Seeds that nothing else was tuned on."""

WAYS = (
    ("distance", "none"),
    ("deposits", "none"),
    ("dissimilar", "none"),
    ("mixed", "none"),
    ("distance", "cover"),
    ("distance", "detectability"),
)

RESULT = Path(__file__).parent / "results" / "backgrounds.md"


def truth_auc(score: np.ndarray, truth: np.ndarray) -> float:
    """AUC of the map by the truth itself: cells weigh as deposits are expected in them."""
    order = np.argsort(score, kind="stable")
    expected, area = truth[order] / truth.sum(), np.full(score.size, 1 / score.size)
    _, tie = np.unique(score[order], return_inverse=True)
    expected, area = np.bincount(tie, expected), np.bincount(tie, area)
    return float((expected * (np.cumsum(area) - area / 2)).sum())


def world(seed: int) -> list[dict[str, object]]:
    """Every way in one world."""
    region = make_region(seed, shape=(80, 100), cell=1000.0)
    with tempfile.TemporaryDirectory() as folder:
        project = load_project(write_region(region, Path(folder) / "region"))
        stack = open_stack(project).load()
        grid = Grid.of(stack)
        counts = np.ones(grid.shape, bool)
        covered = covered_mask(stack)
        rows = []
        for name in ("antimony", "gold", "coal"):
            commodity = load_commodity(name)
            labels = read_labels(project.occurrences, commodity, grid)
            if not labels.enough:
                continue
            builder = FeatureBuilder(commodity.recipe).fit(stack)
            features = builder.transform(stack).values
            truth = region.truth.intensity[name].to_numpy().astype(float)
            for method, match in WAYS:
                row = {"world": seed, "commodity": name, "background": method, "match": match}
                try:
                    score = a_map(features, labels, counts, grid, stack, method, match)
                except LabelError as error:
                    rows.append({**row, "note": str(error)})
                    continue
                known = np.isfinite(truth)
                rank = pd.Series(score.ravel()).rank(pct=True).to_numpy().reshape(grid.shape)
                rows.append(
                    {
                        **row,
                        "auc": truth_auc(score[known], truth[known]),
                        "under_cover": float(np.median(rank[covered])),
                    }
                )
    return rows


def a_map(features, labels, counts, grid, stack, method, match) -> np.ndarray:
    """The likelihood of every cell, learnt with one way to draw background."""
    chance, _ = chance_of(match, stack, labels, counts)
    row, col, weight = background_cells(
        labels, counts, grid, 2000, method=method, chance=chance, random_state=1
    )
    row, col = np.concatenate([labels.row, row]), np.concatenate([labels.col, col])
    kind = np.repeat([1, 0], (labels.row.size, weight.size))
    samples = Samples(
        grid.x[col], grid.y[row], kind, np.concatenate([labels.weight, weight]), kind,
        features[:, row, col].T, unlike=method in UNLIKE,
    )  # fmt: skip
    learnt = samples.learnt()
    fitted = fit(
        extra_trees(0, 1), samples.features[learnt], kind[learnt] == 1,
        samples.weight[learnt],
    )  # fmt: skip
    flat = features.reshape(len(features), -1).T
    return likelihood(fitted, flat).reshape(grid.shape)


def main() -> None:
    """Run all worlds and write the table."""
    rows = []
    for seed in WORLDS:
        rows += world(seed)
        print(f"world {seed}", flush=True)
    table = pd.DataFrame(rows)
    lines = [
        "# What background to learn from",
        "",
        f"Made by `python benchmarks/backgrounds.py`: {len(WORLDS)} synthetic worlds (seeds "
        f"{WORLDS[0]} to {WORLDS[-1]}, 80 × 100 cells of 1 km), extremely randomised trees (100),",
        "2,000 background cells. AUC is against the truth of each world on outcrop, where alone "
        "it is known; the difference is to background by distance in the same worlds,",
        "with the standard error of its mean. 'Under cover' is the median rank that the map gives "
        "covered ground (0.5: as any ground).",
        "",
        "| Commodity | Background | Matched on | Worlds | AUC | Difference | Under cover |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, part in table.groupby("commodity", sort=False):
        base = part[(part.background == "distance") & (part.match == "none")].set_index("world")
        for method, match in WAYS:
            rows = part[(part.background == method) & (part.match == match)].dropna(subset="auc")
            if rows.empty:
                lines.append(f"| {name} | {method} | {match} | 0 | | | |")
                continue
            change = (rows.set_index("world")["auc"] - base["auc"]).dropna()
            error = change.std(ddof=1) / np.sqrt(change.size) if change.size > 1 else np.nan
            told = "" if (method, match) == WAYS[0] else f"{change.mean():+.3f} ± {error:.3f}"
            lines.append(
                f"| {name} | {method} | {match} | {len(rows)} | {rows['auc'].mean():.3f} | {told} "
                f"| {rows['under_cover'].mean():.2f} |"
            )
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
