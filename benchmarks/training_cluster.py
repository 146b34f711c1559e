"""What a cluster gains in training: folds on two threads here, and on two workers.

    python benchmarks/training_cluster.py

Runs alternate and the fastest of each counts, since a computer is seldom alone.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import prospect
from prospect.cluster import connect
from prospect.held_out import on_cluster
from prospect.project import load_project
from prospect.stack import open_stack
from prospect.validation import validate

REGION = Path(__file__).resolve().parents[1] / "sample_data" / "region"
TIMES = 3
DRAWS = 5


@contextmanager
def noted(spent: dict[str, float], title: str, total: int = 0, unit: str = "") -> Any:
    """A progress that keeps how long each step took."""
    start = time.perf_counter()
    yield lambda steps: None
    name = "folds" if title.startswith("Validating in") else "the rest"
    spent[name] = spent.get(name, 0.0) + time.perf_counter() - start


def timed(
    where: Callable[[], AbstractContextManager[Any]], what: Callable[..., Any]
) -> tuple[float, float, Any]:
    """Seconds of the folds and of everything, and what came of it."""
    spent: dict[str, float] = {}
    start = time.perf_counter()
    with where():
        found = what(progress=lambda *a, **k: noted(spent, *a, **k))
    return spent["folds"], time.perf_counter() - start, found


def main() -> None:
    project = load_project(REGION)
    stack = open_stack(project)
    for learner in ("logistic", "extra-trees"):

        def training(progress: Any, learner: str = learner) -> Any:
            return prospect.train(
                stack, project.occurrences, "gold", estimator=learner, workers=2, progress=progress
            )

        model = training(lambda *a, **k: nullcontext(lambda steps: None))

        def testing(progress: Any, model: Any = model) -> Any:
            return validate(
                model, stack, folds=("block",), draws=DRAWS, workers=2, progress=progress
            )

        for name, what in (("train", training), (f"validate --draws {DRAWS}", testing)):
            best: dict[str, tuple[float, float]] = {}
            kept: dict[str, bytes] = {}
            with connect(workers=2) as client:
                for _ in range(TIMES):
                    for way, where in (
                        ("2 threads", nullcontext), ("2 workers", lambda: on_cluster(client)),
                    ):  # fmt: skip
                        *seconds, found = timed(where, what)
                        best[way] = tuple(map(min, seconds, best.get(way, seconds)))
                        kept[way] = as_bytes(found)
            assert kept["2 threads"] == kept["2 workers"], "other bytes"
            for way, (folds, whole) in best.items():
                print(f"{learner:<12} {name:<20} {way}: folds {folds:5.1f} s of {whole:5.1f} s",
                      flush=True)  # fmt: skip


def as_bytes(found: Any) -> bytes:
    """A model as its file, a validation as its page."""
    if not hasattr(found, "save") or hasattr(found, "page"):
        return str(found.page()).encode()
    with TemporaryDirectory() as folder:
        path = Path(folder) / "model.prospect"
        found.save(path)
        return path.read_bytes()


if __name__ == "__main__":
    main()
