"""
Which learner is the default: chosen on synthetic worlds by a rule written down before.

The rule and the worlds stand in ``default_learner.toml``, what came out in
``results/default_learner.md``. Run it, in parts if you like::

    python benchmarks/choose_default.py [--part 0/2]
"""

from __future__ import annotations

import argparse
import time
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from synthetic_cases import Case, case_of, open_world, truth_auc, truth_capture

from prospect.errors import LabelError
from prospect.folds import BlockFolds
from prospect.held_out import out_of_fold
from prospect.learners import learner

HERE = Path(__file__).parent
RULE = tomllib.loads((HERE / "default_learner.toml").read_text(encoding="utf-8"))
MEASURES = {"auc": truth_auc, "capture": truth_capture}


def worlds() -> list[tuple[str, int]]:
    """The worlds of the rule: kind and seed."""
    from prospect.synthetic import WORLDS

    contrary = [kind for kind in WORLDS if kind != "ordinary"]
    return [("ordinary", seed) for seed in RULE["ordinary"]] + [
        (kind, seed) for seed in RULE["contrary"] for kind in contrary
    ]


def held_out(case: Case, name: str, splitter: Any, workers: int) -> np.ndarray:
    """Out-of-fold scores of a learner."""
    estimator = learner(name, case.signs, random_state=0, n_jobs=workers)
    return out_of_fold(estimator, case.samples, splitter)[1]


def run_case(case: Case, workers: int) -> list[dict[str, Any]]:
    """A row a learner; none where folds cannot be filled."""
    for draw in range(5):
        splitter = BlockFolds(
            1000.0 * RULE["block_km"], RULE["folds"], buffer=case.reach, random_state=draw
        )
        rows = []
        try:
            for name in RULE["learners"]:
                start = time.process_time()
                score = held_out(case, name, splitter, workers)[case.area]
                expected = case.expected[case.area]
                told = {k: measure(score, expected) for k, measure in MEASURES.items()}
                rows.append({"learner": name, **told, "seconds": time.process_time() - start})
        except LabelError:
            continue
        return rows
    return []


def run(part: int, parts: int, workers: int, output: Path) -> None:
    """Every world of a part, written as they come."""
    rows: list[dict[str, Any]] = []
    for number, (kind, seed) in enumerate(worlds()):
        if number % parts != part:
            continue
        start = time.monotonic()
        region, stack, occurrences = open_world(
            seed, kind, realisations=RULE["realisations"], shape=tuple(RULE["shape"]),
            cell=RULE["cell"],
        )  # fmt: skip
        for commodity in RULE["commodities"]:
            for deposits in RULE["deposits"]:
                case = case_of(
                    region, stack, occurrences, commodity, deposits=deposits,
                    background=RULE["background"], measured_on=RULE["measured_on"],
                )  # fmt: skip
                found = int(np.unique(case.samples.group[case.samples.kind == 1]).size)
                area, expected = case.area, case.expected
                about = {
                    "world": seed, "kind": kind, "commodity": commodity, "wanted": deposits,
                    "deposits": found, "oracle": truth_auc(expected[area], expected[area]),
                }  # fmt: skip
                rows += [{**about, **row} for row in run_case(case, workers)]
        pd.DataFrame(rows).to_csv(output / f"part_{part}.csv", index=False)
        print(f"{kind} {seed}: {time.monotonic() - start:.0f} s", flush=True)


def ranks(table: pd.DataFrame) -> pd.DataFrame:
    """Mean rank of each learner in each world: rows worlds, columns learners."""
    keys = ["kind", "world", "commodity", "wanted"]
    long = table.melt([*keys, "learner"], list(MEASURES), "measure")
    long["rank"] = long.groupby([*keys, "measure"])["value"].rank(ascending=False)
    return long.pivot_table("rank", ["kind", "world"], "learner", aggfunc="mean")


def stratified(values: pd.DataFrame) -> tuple[pd.Series, pd.Series]:
    """Means over worlds and their standard errors, ordinary and contrary weighing the same."""
    strata = values.groupby(values.index.get_level_values("kind") == "ordinary")
    mean = strata.mean().mean()
    error = np.sqrt((strata.var(ddof=1).div(strata.size(), axis=0)).sum()) / 2
    return mean, error


def decide(table: pd.DataFrame) -> tuple[str, pd.DataFrame]:
    """The default by the rule, and each learner's mean rank and lead over the current one."""
    by_world = ranks(table)
    mean, _ = stratified(by_world)
    lead, error = stratified(by_world.rsub(by_world[RULE["current"]], axis=0))
    told = pd.DataFrame({"rank": mean, "lead": lead, "error": error}).sort_values("rank")
    eligible = told.drop(index=RULE["not_eligible"])
    best = str(eligible.index[0])
    ahead = eligible.loc[best, "lead"] > RULE["standard_errors"] * eligible.loc[best, "error"]
    return (best if ahead else RULE["current"]), told


def tell(table: pd.DataFrame) -> str:
    """The page."""
    chosen, told = decide(table)
    cases = table[["kind", "world", "commodity", "wanted"]].drop_duplicates()
    lines = [
        "# The default learner, chosen on synthetic worlds",
        "",
        f"{len(worlds())} worlds, {len(cases)} cases (benchmarks/default_learner.toml, the rule, "
        "was committed before they were run). Truth on held-out ground of block folds; means. "
        "Capture is of the expected deposits, in the best 5 % of ground. Real cases took no part.",
        "",
        f"**By the rule the default is `{chosen}`**"
        + (f" (it was `{RULE['current']}`)." if chosen != RULE["current"] else ", as it was."),
        "",
        "| learner | mean rank | ahead of the current default by (± standard error) | rank, 12 "
        "deposits | rank, 40 deposits | AUC, ordinary | AUC, contrary | capture, ordinary "
        "| capture, contrary | processor s |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    apart = {n: stratified(ranks(table[table["wanted"] == n]))[0] for n in RULE["deposits"]}
    ordinary = table["kind"] == "ordinary"
    means = {
        key: table[which].groupby("learner")[measure].mean()
        for key, (which, measure) in {
            "ao": (ordinary, "auc"), "ac": (~ordinary, "auc"),
            "co": (ordinary, "capture"), "cc": (~ordinary, "capture"),
        }.items()
    }  # fmt: skip
    seconds = table.groupby("learner")["seconds"].mean()
    for name, row in told.iterrows():
        values = " | ".join(f"{means[key][name]:.3f}" for key in ("ao", "ac", "co", "cc"))
        few, more = (apart[n][name] for n in RULE["deposits"])
        lines.append(
            f"| {name} | {row['rank']:.2f} | {row['lead']:+.2f} ± {row['error']:.2f} | {few:.2f} "
            f"| {more:.2f} | {values} | {seconds[name]:.1f} |"
        )
    lines += ["", "AUC in each kind of world:", ""]
    by_kind = table.pivot_table("auc", "kind", "learner")[list(told.index)]
    by_kind["oracle"] = table.groupby("kind")["oracle"].mean()
    lines.append("| world | " + " | ".join(by_kind.columns) + " |")
    lines.append("|---" * (1 + by_kind.shape[1]) + "|")
    for kind, row in by_kind.iterrows():
        lines.append(f"| {kind} | " + " | ".join(f"{value:.3f}" for value in row) + " |")
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--part", default="0/1", help="run a part of the worlds only, as in 0/2")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--tell", action="store_true", help="only tell what parts have found")
    parser.add_argument("--parts-in", type=Path, default=HERE / "results" / "default_learner")
    arguments = parser.parse_args()
    folder = arguments.parts_in
    folder.mkdir(parents=True, exist_ok=True)
    if not arguments.tell:
        part, parts = (int(number) for number in arguments.part.split("/"))
        run(part, parts, arguments.workers, folder)
    found = pd.concat([pd.read_csv(path) for path in sorted(folder.glob("part_*.csv"))])
    found = found[[pair in worlds() for pair in zip(found["kind"], found["world"], strict=True)]]
    (HERE / "results" / "default_learner.md").write_text(tell(found), encoding="utf-8")


if __name__ == "__main__":
    main()
