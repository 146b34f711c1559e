"""
Lapland gold: the default model beside a plain forest and a plain logistic regression.

All three see the same deposits, background, folds and measured cells. The plain ones read
the raw layers (class codes as numbers, gaps filled by the median), as a script would.

Run it with the real data at hand::

    python benchmarks/lapland_gold.py ../shared/data/lapland_gold
"""

from __future__ import annotations

import argparse
import os
import time
import tomllib
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.ensemble import RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from prospect.commodities import load_commodity
from prospect.features import FeatureBuilder
from prospect.folds import BlockFolds
from prospect.grid import Grid
from prospect.ground import Ground
from prospect.labels import read_labels
from prospect.learners import default_estimator
from prospect.matching import bind
from prospect.metrics import auc, capture
from prospect.samples import Samples, draw_samples, features_at, ground_mask, on_ground
from prospect.stack import open_stack
from prospect.training import out_of_fold

HERE = Path(__file__).parent
MEASURES = {"AUC": auc, "capture at 5 %": capture}


def plain_forest(seed: int, workers: int):
    """What a script would do."""
    forest = RandomForestClassifier(
        300, class_weight="balanced_subsample", random_state=seed, n_jobs=workers
    )
    return make_pipeline(SimpleImputer(strategy="median"), forest)


def plain_logistic(seed: int, workers: int):
    """What a cautious script would do."""
    logistic = LogisticRegression(class_weight="balanced", max_iter=2000, random_state=seed)
    return make_pipeline(SimpleImputer(strategy="median"), StandardScaler(), logistic)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("data", type=Path, help="folder lapland_gold")
    parser.add_argument("--quick", action="store_true", help="one draw, two fold seeds")
    arguments = parser.parse_args()
    protocol = tomllib.loads((HERE / "lapland_gold.toml").read_text(encoding="utf-8"))
    fold_seeds = protocol["fold_seeds"][: 2 if arguments.quick else None]
    draw_seeds = protocol["draw_seeds"][: 1 if arguments.quick else None]
    workers = os.cpu_count() or 1

    rasters = sorted((arguments.data / "rasters").glob("*.tif"))
    rasters = [path for path in rasters if path.stem not in protocol["not_evidence"]]
    stack = open_stack(rasters, like="geophysics_magnetic")
    # As `prospect init` writes it: the layer that sets the grid is required.
    stack["geophysics_magnetic"].attrs["required"] = True
    grid = Grid.of(stack)
    definition = load_commodity("gold")
    labels = read_labels(arguments.data / "vectors" / "Orogenic_Au.shp", definition, grid)
    builder = FeatureBuilder(definition.recipe).fit(stack)
    raw_stack = _numbers(stack)
    raw = FeatureBuilder([{"name": f"raw {n}", "operation": "value", "of": n} for n in stack])
    raw.fit(raw_stack)
    counts = ground_mask(stack, Ground(), bind(builder.layers_, stack), workers=workers)
    deposits = labels.row.size
    labels = on_ground(labels, counts)

    start = time.monotonic()
    scores: dict[tuple[int, int], dict[str, np.ndarray]] = {}
    kinds: dict[int, Samples] = {}
    for draw in draw_seeds:
        samples = draw_samples(
            builder,
            stack,
            labels,
            counts,
            background=protocol["background"],
            measured_on=protocol["measured_on"],
            random_state=draw,
            workers=workers,
        )
        row, col, _ = grid.index(samples.x, samples.y)
        plain = features_at(raw, raw_stack, row, col, workers=workers)
        plain_samples = Samples(**{**vars(samples), "features": plain})
        kinds[draw] = samples
        for seed in fold_seeds:
            folds = BlockFolds(
                1000.0 * protocol["block_km"],
                protocol["folds"],
                buffer=builder.reach(),
                random_state=seed,
            )
            scores[draw, seed] = {
                "prospect": out_of_fold(default_estimator(draw, workers), samples, folds)[1],
                "plain forest": out_of_fold(plain_forest(draw, workers), plain_samples, folds)[1],
                "plain logistic": out_of_fold(plain_logistic(draw, workers), plain_samples, folds)[
                    1
                ],
            }
            told = {
                name: f"{auc(s[samples.kind == 1], s[samples.kind == -1]):.3f}"
                for name, s in scores[draw, seed].items()
            }
            print(f"draw {draw}, folds {seed}: {told}", flush=True)
    print(f"{len(scores)} runs in {time.monotonic() - start:.0f} s")
    text = _tell(scores, kinds, protocol, deposits, labels, len(builder.layers_))
    print(text)
    if not arguments.quick:
        (HERE / "results" / "lapland_gold.md").write_text(text, encoding="utf-8")


def _numbers(stack):
    """The stack with class codes as numbers."""
    numbers = stack.copy()
    for name, layer in stack.data_vars.items():
        if layer.attrs["kind"] == "categorical":
            values = layer.astype("float32").where(layer != -1)
            numbers[name] = values.assign_attrs(layer.attrs, kind="continuous")
    return numbers


def _tell(scores, kinds, protocol, deposits, labels, layers) -> str:
    rows = []
    for (draw, seed), told in scores.items():
        kind = kinds[draw].kind
        for name, score in told.items():
            for measure, function in MEASURES.items():
                value = function(score[kind == 1], score[kind == -1])
                rows.append((draw, seed, name, measure, value))
    table = pd.DataFrame(rows, columns=["draw", "folds", "model", "measure", "value"])
    summary = table.groupby(["measure", "model"])["value"].agg(["median", "min", "max", "mean"])
    lines = [
        "# Lapland gold",
        "",
        f"{deposits} deposits, {labels.row.size} of them on ground that the map covers; {layers} "
        f"evidence layers. {protocol['block_km']} km block folds, {len(protocol['fold_seeds'])} "
        f"fold seeds × {len(protocol['draw_seeds'])} background draws (benchmarks/"
        "lapland_gold.toml, fixed before tuning).",
        "",
        "| measure | model | median | range | mean |",
        "|---|---|---|---|---|",
    ]
    for (measure, model), row in summary.iterrows():
        lines.append(
            f"| {measure} | {model} | {row['median']:.3f} | {row['min']:.3f}–{row['max']:.3f} "
            f"| {row['mean']:.3f} |"
        )
    lines += [
        "",
        "Differences of the means over all runs, with 90 % intervals by drawing whole blocks of "
        "ground again (paired: the same blocks for both):",
        "",
        "| measure | prospect minus | difference | interval |",
        "|---|---|---|---|",
    ]
    for measure, function in MEASURES.items():
        for other in ("plain forest", "plain logistic"):
            mean, low, high = _difference(scores, kinds, other, function, protocol)
            lines.append(f"| {measure} | {other} | {mean:+.3f} | {low:+.3f} to {high:+.3f} |")
    return "\n".join(lines) + "\n"


def _difference(scores, kinds, other, measure, protocol) -> tuple[float, float, float]:
    """Mean difference over runs, and its interval over blocks of ground."""
    rng = np.random.default_rng(protocol["bootstrap_seed"])
    size = 1000.0 * protocol["block_km"]
    block = {draw: np.floor(s.coordinates / size).astype(int) for draw, s in kinds.items()}
    names = np.unique(np.concatenate(list(block.values())), axis=0)
    member = {
        draw: [np.flatnonzero((b == name).all(axis=1)) for name in names]
        for draw, b in block.items()
    }

    def difference(run, index) -> float:
        kind = kinds[run[0]].kind[index]
        ours, theirs = scores[run]["prospect"][index], scores[run][other][index]
        return measure(ours[kind == 1], ours[kind == -1]) - measure(
            theirs[kind == 1], theirs[kind == -1]
        )

    everything = {draw: np.arange(s.kind.size) for draw, s in kinds.items()}
    mean = float(np.mean([difference(run, everything[run[0]]) for run in scores]))
    values = []
    for _ in range(protocol["bootstrap_repeats"] // len(scores) + 50):
        drawn = rng.integers(0, len(names), len(names))
        index = {d: np.concatenate([m[i] for i in drawn]) for d, m in member.items()}
        if all((kinds[d].kind[i] == 1).any() for d, i in index.items()):
            values.append(np.mean([difference(run, index[run[0]]) for run in scores]))
    low, high = np.quantile(values, (0.05, 0.95))
    return mean, float(low), float(high)


if __name__ == "__main__":
    main()
