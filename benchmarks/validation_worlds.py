"""
Does the validation tell the truth? Synthetic worlds, where the truth is known.

Twenty worlds: the AUC of block folds beside the truth of the same fold models, and boosted
trees with X and Y, which random folds put above the best score there is. A hundred small
worlds: how often the 90 % interval of the block folds holds the truth.

Run it, and see ``results/validation_worlds.md``::

    python benchmarks/validation_worlds.py
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import pandas as pd
import shapely
from sklearn.ensemble import ExtraTreesClassifier, HistGradientBoostingClassifier
from synthetic_cases import case_of, open_world, truth_auc

from prospect.errors import LabelError
from prospect.folds import BlockFolds, RandomFolds
from prospect.held_out import out_of_fold
from prospect.learners import DEFAULT, fit, learner, likelihood
from prospect.metrics import auc, bootstrap
from prospect.samples import Samples
from prospect.training import default_block
from prospect.validation.alarms import ABOVE
from prospect.vector import frame

HERE = Path(__file__).parent
COMMODITIES = ("antimony", "gold")
WORLDS = 20
SMALL_WORLDS = 100
MEASURED_ON = 5_000


def samples_of(region, stack, occurrences, commodity: str):
    """Samples of a world, the expected deposits at them, the reach of its windows, signs."""
    case = case_of(region, stack, occurrences, commodity, measured_on=MEASURED_ON)
    return case.samples, np.nan_to_num(case.expected), case.reach, case.signs


def fold_models(estimator, samples: Samples, splitter, expected) -> dict[str, float]:
    """Out-of-fold AUC, its truth on the same held-out ground, and that of whole maps."""
    found, area = samples.kind == 1, samples.kind == -1
    score, whole = np.full(found.size, np.nan), []
    for train, test in splitter.split(samples.features, found.astype(int), samples.coordinates):
        learnt = train[samples.kind[train] >= 0]
        fitted = fit(estimator, samples.features[learnt], found[learnt], samples.weight[learnt])
        everywhere = likelihood(fitted, samples.features)
        score[test] = everywhere[test]
        whole.append(truth_auc(everywhere[area], expected[area]))
    return {
        "auc": auc(score[found], score[area]),
        "held-out truth": truth_auc(score[area], expected[area]),
        "whole-map truth": float(np.mean(whole)),
    }


def with_coordinates(samples: Samples) -> Samples:
    """The samples with X and Y as features."""
    features = np.column_stack([samples.features, samples.coordinates]).astype(np.float32)
    return Samples(**{**vars(samples), "features": features})


def _gather(table: pd.DataFrame, path: Path) -> None:
    """Runs of parts of the worlds, side by side, gather in one table."""
    keys = ["world", "commodity", "model"]
    if path.exists():
        table = pd.concat([pd.read_csv(path), table]).drop_duplicates(keys, keep="last")
    table.sort_values(keys).round(4).to_csv(path, index=False)


def large_worlds(first: int, count: int, output: Path) -> None:
    """A row a world, commodity and model, written as they come."""
    rows = []
    for seed in range(first, first + count):
        region, stack, occurrences = open_world(seed, shape=(160, 200), cell=500.0)
        for commodity in COMMODITIES:
            start = time.monotonic()
            samples, expected, reach, signs = samples_of(region, stack, occurrences, commodity)
            found, area = samples.kind == 1, samples.kind == -1
            blocks = BlockFolds(default_block(samples, reach), buffer=reach)
            about = {
                "world": seed,
                "commodity": commodity,
                "deposits": int(np.unique(samples.group[found]).size),
                "block": blocks.size,
                "oracle": truth_auc(expected[area], expected[area]),
                "oracle on these deposits": auc(expected[found], expected[area]),
            }
            default = fold_models(learner(DEFAULT, signs), samples, blocks, expected)
            rows.append({**about, "model": "default, block folds", **default})
            boosted = HistGradientBoostingClassifier(random_state=0)
            spied = with_coordinates(samples)
            told = fold_models(boosted, spied, RandomFolds(), expected)
            rows.append({**about, "model": "boosted with X, Y, random folds", **told})
            print(seed, commodity, f"{time.monotonic() - start:.0f} s", default, flush=True)
        _gather(pd.DataFrame(rows), output / "validation_worlds.csv")


def small_worlds(count: int, workers: int, output: Path) -> None:
    """A row a small world and kind of labels: the interval of the block folds, and the truth."""
    rows = []
    for seed in range(count):
        region, stack, reported = open_world(1000 + seed, shape=(80, 100), cell=1000.0)
        commodity = COMMODITIES[seed % 2]
        forest = ExtraTreesClassifier(100, min_samples_leaf=3, random_state=0, n_jobs=workers)
        # What is known without the table's faults: wrong commodities, offsets, satellites.
        known = region.truth.deposits.query("known")
        points = shapely.points(known[["x", "y"]].to_numpy())
        faultless = frame({"commodity": list(known["commodity"])}, list(points), region.grid.crs)
        for labels, table in (("as reported", reported), ("faultless", faultless)):
            samples, expected, reach, _ = samples_of(region, stack, table, commodity)
            blocks = BlockFolds(default_block(samples, reach), buffer=reach)
            try:
                _, score = out_of_fold(forest, samples, blocks)
            except LabelError as error:
                print(seed, labels, error, flush=True)
                continue
            found, area = samples.kind == 1, samples.kind == -1
            where = np.floor(samples.coordinates / blocks.size).astype(int)
            cluster = np.unique(where, axis=0, return_inverse=True)[1].ravel()
            low, high = bootstrap(auc, score[found], score[area], cluster[found], cluster[area])
            truth = truth_auc(score[area], expected[area])
            rows.append(
                {
                    "world": 1000 + seed,
                    "commodity": commodity,
                    "labels": labels,
                    "deposits": int(np.unique(samples.group[found]).size),
                    "auc": auc(score[found], score[area]),
                    "low": low,
                    "high": high,
                    "truth": truth,
                    "covered": low <= truth <= high,
                }
            )
        if seed % 10 == 9:
            table = pd.DataFrame(rows)
            table.round(4).to_csv(output / "validation_small_worlds.csv", index=False)
            print(seed + 1, table.groupby("labels")["covered"].sum().to_dict(), flush=True)


def tell(folder: Path) -> None:
    """The tables as a page."""
    lines = ["# Does the validation tell the truth?", ""]
    large = folder / "validation_worlds.csv"
    if large.exists():
        lines += _tell_large(pd.read_csv(large))
    small = folder / "validation_small_worlds.csv"
    if small.exists():
        lines += _tell_small(pd.read_csv(small))
    (folder / "validation_worlds.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _tell_large(table: pd.DataFrame) -> list[str]:
    default = table[table["model"].str.startswith("default")]
    lines = [
        f"{default['world'].nunique()} worlds (160 × 200 cells of 500 m), labels with all their "
        "faults, the default model in block folds; means over worlds. The truth is the AUC of the "
        "same fold models where deposits are as likely as the generator has it.",
        "",
        "| commodity | worlds | AUC of block folds | truth, held-out ground | truth, whole map "
        "| difference to whole map | largest | oracle |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for commodity, rows in default.groupby("commodity"):
        mean = rows[["auc", "held-out truth", "whole-map truth", "oracle"]].mean()
        gap = rows["auc"] - rows["whole-map truth"]
        lines.append(
            f"| {commodity} | {len(rows)} | {mean['auc']:.3f} | {mean['held-out truth']:.3f} "
            f"| {mean['whole-map truth']:.3f} | {gap.mean():+.3f} | {gap.abs().max():.3f} "
            f"| {mean['oracle']:.3f} |"
        )
    lines += [
        "",
        "Boosted trees with X and Y in random folds, on the same deposits as the oracle; the alarm "
        f"rings from {ABOVE:+.2f}:",
        "",
        "| commodity | AUC in random folds | oracle | truth of the models | rings in |",
        "|---|---|---|---|---|",
    ]
    spied = table[table["model"].str.startswith("boosted")]
    for commodity, rows in spied.groupby("commodity"):
        rings = (rows["auc"] >= rows["oracle on these deposits"] + ABOVE).sum()
        lines.append(
            f"| {commodity} | {rows['auc'].mean():.3f} "
            f"| {rows['oracle on these deposits'].mean():.3f} "
            f"| {rows['whole-map truth'].mean():.3f} | {rings} of {len(rows)} worlds |"
        )
    quiet = (default["auc"] >= default["oracle on these deposits"] + ABOVE).sum()
    lines.append(f"\nThe default model in block folds rings in {quiet} of {len(default)}.")
    return [*lines, ""]


def _tell_small(table: pd.DataFrame) -> list[str]:
    lines = [
        "Small worlds (80 × 100 cells of 1 km), a forest of 100 trees in block folds: how often "
        "the 90 % interval holds the truth.",
        "",
        "| labels | worlds | held | AUC | truth | mean width |",
        "|---|---|---|---|---|---|",
    ]
    for labels, rows in table.groupby("labels"):
        lines.append(
            f"| {labels} | {len(rows)} | {rows['covered'].sum()} | {rows['auc'].mean():.3f} "
            f"| {rows['truth'].mean():.3f} | {(rows['high'] - rows['low']).mean():.3f} |"
        )
    return [*lines, ""]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--worlds", type=int, default=WORLDS)
    parser.add_argument("--first", type=int, default=0, help="first of the worlds")
    parser.add_argument("--small", type=int, default=SMALL_WORLDS)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("-o", "--output", type=Path, default=HERE / "results")
    arguments = parser.parse_args()
    if arguments.small:
        small_worlds(arguments.small, arguments.workers, arguments.output)
    if arguments.worlds:
        large_worlds(arguments.first, arguments.worlds, arguments.output)
    tell(arguments.output)


if __name__ == "__main__":
    main()
