"""The demonstration: a sample region, with maps, targets and pages of all three commodities."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from prospect.commodities import commodity_names
from prospect.errors import OutputError
from prospect.progress import Progress, silent
from prospect.report import write_report
from prospect.scoring import score
from prospect.stack import open_stack
from prospect.synthetic import make_region, write_region
from prospect.targets import find_targets, narrow
from prospect.targets.ranking import INSIDE
from prospect.targets.writing import write_targets
from prospect.training import train


def run_demo(
    folder: Path | str,
    *,
    seed: int | None = None,
    workers: int | None = None,
    progress: Progress = silent,
) -> Iterator[str]:
    """
    Make a region, train and score every commodity in it.

    Parameters
    ----------
    folder : path
        Made when it is not there; maps in it are replaced.
    seed : int, optional
        Of another region.
    workers : int, optional
    progress : callable

    Yields
    ------
    str
        Lines for people: the maps, and the honest quality of each.

    Raises
    ------
    OutputError
        If the folder cannot be made.
    """
    from prospect.project import load_project

    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"The folder {folder} cannot be made ({error.strerror}).") from error
    with progress("Making the sample region"):
        region = make_region() if seed is None else make_region(seed)
        write_region(region, folder / "region")
    project = load_project(folder / "region")
    assert project.occurrences is not None
    yield f"The sample region is in {folder / 'region'}."
    for commodity in commodity_names():
        with progress(f"{commodity.capitalize()}: training"):
            model = train(open_stack(project), project.occurrences, commodity, workers=workers)
        model.save(folder / f"{commodity}.prospect")
        output = folder / f"{commodity}.tif"
        score(model, open_stack(project), output, workers=workers, progress=progress)
        with progress(f"{commodity.capitalize()}: targets and report"):
            found = narrow(find_targets(output, model), model, open_stack(project), workers=workers)
            write_targets(found, folder / f"{commodity}-targets.gpkg")
            page = write_report(folder / f"{commodity}.html", output, model, project, targets=found)
        yield f"\n{output}: {model.title}, {model.record['labels']['deposits']} known deposits"
        for line in model.quality().splitlines():
            yield f"  {line}"
        new = int((found["list"] == INSIDE).sum())
        yield f"  {page.name}: the map to click, {new} targets on new ground, what it rests on"
    yield (
        "\nOpen a page in any browser, a map in QGIS: its colours come with it. The intervals are "
        "of 90 %; block folds are the honest ones. The region is made up, so its truth is "
        "known: see region/truth."
    )
