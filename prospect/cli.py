"""The command line: it parses, calls the library, and echoes."""

from __future__ import annotations

import logging
import sys
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from prospect._version import __version__
from prospect.errors import ModelError, ProspectError

if TYPE_CHECKING:
    import xarray as xr

    from prospect.progress import Progress
    from prospect.project import Project

F = TypeVar("F", bound=Callable[..., Any])

INTERRUPTED = 130


class Sentences(click.Group):
    """A group whose expected errors are one sentence and exit code 1, never a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command."""
        try:
            return super().invoke(ctx)
        except ProspectError as error:
            raise click.ClickException(str(error)) from error
        except MemoryError as error:
            raise click.ClickException(
                "There is not enough memory: use fewer workers, or a smaller --tile."
            ) from error
        except KeyboardInterrupt:
            click.echo("\nInterrupted: nothing was left half-written.", err=True)
            ctx.exit(INTERRUPTED)


@click.group(
    cls=Sentences,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Start with: prospect demo",
)
@click.version_option(__version__, "-V", "--version", message="prospect %(version)s")
def main() -> None:
    """From geological layers and known deposits to a map of where more are likely.

    \b
    prospect init     FOLDER -o PROJECT       guess what the layers are
    prospect inspect  PROJECT                 see what is wrong, and correct prospect.toml
    prospect train    PROJECT -c gold --occurrences deposits.shp -o gold.prospect
    prospect score    gold.prospect PROJECT -o gold.tif
    """


def _drivers(command: F) -> F:
    return click.option(
        "--allow-driver",
        "drivers",
        multiple=True,
        metavar="NAME",
        help="Open this raster format too, e.g. AIG for ESRI grids. Repeatable.",
    )(command)


def _workers(command: F) -> F:
    return click.option(
        "--workers",
        type=click.IntRange(min=1),
        metavar="N",
        help="Processors to use; by default all.",
    )(command)


def _quiet(command: F) -> F:
    return click.option("-q", "--quiet", is_flag=True, help="Show no progress.")(command)


def _vectors(command: F) -> F:
    return click.option(
        "--vector",
        "vectors",
        multiple=True,
        metavar="ROLE=PATH",
        help="Burn a vector file in, e.g. faults.thrust=thrusts.gpkg. Repeatable.",
    )(command)


@main.command(epilog="Example: prospect demo -o my-demo")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("prospect-demo"),
    show_default=True,
    help="Folder for the region and its maps.",
)
@click.option("--seed", type=int, default=None, help="Another region.")
@_workers
@_quiet
def demo(output: Path, seed: int | None, workers: int | None, quiet: bool) -> None:
    """Make a sample region, and map antimony, gold and coal in it."""
    from prospect.demo import run_demo

    for line in run_demo(output, seed=seed, workers=workers, progress=_progress(quiet)):
        click.echo(line)


@main.command(epilog="Example: prospect init rasters/ -o lapland/")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    help="Project folder; by default FOLDER itself.",
)
@_quiet
def init(folder: Path, output: Path | None, quiet: bool) -> None:
    """Look at the GeoTIFFs in FOLDER, guess what each is, and write prospect.toml."""
    from prospect.inspection import describe, doubts, find_vectors, survey_folder, write_survey

    project, reports, refused = survey_folder(folder, progress=_progress(quiet))
    path = write_survey(project, output or folder)
    click.echo(describe(reports))
    click.echo("* a gap in this layer is a gap in the map")
    _list("Doubtful:", doubts(reports))
    _list("Cannot be used:", refused)
    vectors = find_vectors(folder)
    if vectors:
        names = ", ".join(path.name for path in vectors[:5])
        click.echo(f"\n{len(vectors)} vector files ({names}) are not in it: add [vectors.NAME].")
    click.echo(
        f"\n{len(reports)} layers are in {path}. Correct it, then: prospect inspect {path.parent}"
    )


@main.command(epilog="Example: prospect inspect lapland/")
@click.argument("sources", nargs=-1, required=True, type=click.Path(path_type=Path))
@_drivers
@_quiet
def inspect(sources: tuple[Path, ...], drivers: tuple[str, ...], quiet: bool) -> None:
    """Show grids, units, values and what is wrong, for a project or for layers."""
    from prospect.inspection import describe, doubts, inspect_project
    from prospect.stack import as_project, choose_grid

    project = as_project(_source(sources), allow_drivers=drivers)
    reports = inspect_project(project, allow_drivers=drivers, progress=_progress(quiet))
    grid = choose_grid(project.grid, {report.spec.name: report.info for report in reports})
    click.echo(f"Grid: {grid.describe()}")
    click.echo(describe(reports))
    click.echo("* a gap in this layer is a gap in the map")
    for vector in project.vectors:
        click.echo(f"vector {vector.name}: {vector.role or 'no role'}, burnt in from {vector.path}")
    _list("Look at:", doubts(reports))


@main.command(
    epilog="Example: prospect train lapland/ -c gold --occurrences au.shp -o gold.prospect"
)
@click.argument("sources", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("-c", "--commodity", required=True, help="antimony, gold, coal, or a .toml file.")
@click.option(
    "--occurrences",
    type=click.Path(path_type=Path),
    help="Known deposits: vector file or CSV; by default those of the project.",
)
@click.option("--crs", help="Coordinate system of the occurrences, e.g. EPSG:32642.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Model file to write.")
@click.option("--area", type=click.Path(path_type=Path), help="Polygons that bound the work.")
@click.option("--permissive", metavar="TEST", help='e.g. "lithology in (carbonate, flysch)".')
@click.option("--without", multiple=True, metavar="LAYER", help="Leave a layer out. Repeatable.")
@click.option(
    "--block-size",
    type=click.FloatRange(min=0, min_open=True),
    metavar="METRES",
    help="Side of the blocks that are held out; by default from the ground's width.",
)
@click.option(
    "--folds", type=click.IntRange(min=2), default=5, show_default=True, help="Number of folds."
)
@click.option("--seed", type=int, default=0, show_default=True, help="Of everything drawn.")
@_vectors
@_drivers
@_workers
@_quiet
def train(
    sources: tuple[Path, ...],
    commodity: str,
    occurrences: Path | None,
    crs: str | None,
    output: Path | None,
    area: Path | None,
    permissive: str | None,
    without: tuple[str, ...],
    block_size: float | None,
    folds: int,
    seed: int,
    vectors: tuple[str, ...],
    drivers: tuple[str, ...],
    workers: int | None,
    quiet: bool,
) -> None:
    """Learn where a commodity is likely, and say honestly how well that works."""
    from dataclasses import replace

    from prospect.project import OccurrenceSpec
    from prospect.raster import require_writable_folder
    from prospect.stack import as_project, open_stack
    from prospect.training import train as train_model

    project = as_project(_source(sources), vectors=_pairs(vectors), allow_drivers=drivers)
    if occurrences is not None:
        spec = OccurrenceSpec(occurrences)
    elif project.occurrences is not None:
        spec = project.occurrences
    else:
        raise click.UsageError("Known deposits are needed: give --occurrences FILE.")
    if crs is not None:
        spec = replace(spec, crs=crs)
    output = output or Path(f"{Path(commodity).stem}.prospect")
    require_writable_folder(output)
    stack = open_stack(project, without=without, allow_drivers=drivers)
    _tell_alignment(stack)
    model = train_model(
        stack,
        spec,
        commodity,
        block_size=block_size,
        n_splits=folds,
        random_state=seed,
        area=area,
        permissive=permissive,
        workers=workers,
        progress=_progress(quiet),
    )
    model.save(output)
    click.echo(model.report())
    click.echo(f"\nThe model is in {output}.")


@main.command(epilog="Example: prospect score gold.prospect rasters/*.tif -o gold.tif --workers 2")
@click.argument("model_path", metavar="MODEL", type=click.Path(path_type=Path))
@click.argument("sources", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", required=True, type=click.Path(path_type=Path), help="GeoTIFF to write."
)
@click.option(
    "--map",
    "mapping",
    multiple=True,
    metavar="NAME=PATH",
    help="Say which file is the model's layer NAME. Repeatable.",
)
@click.option(
    "--area",
    type=click.Path(path_type=Path),
    help="Polygons that bound the map, instead of the model's own.",
)
@click.option(
    "--permissive", metavar="TEST", help="Ground to map, instead of the model's own test."
)
@click.option(
    "--exclude",
    type=click.Path(path_type=Path),
    help="Polygons left empty in the map, such as reserves.",
)
@click.option(
    "--engine",
    type=click.Choice(["threads", "serial", "processes"]),
    default="threads",
    show_default=True,
    help="How tiles are computed.",
)
@click.option(
    "--tile",
    type=click.IntRange(min=1),
    metavar="CELLS",
    help="Side of a tile, rounded up to 256; by default what memory allows.",
)
@click.option(
    "--compress",
    type=click.Choice(["zstd", "deflate"]),
    default="zstd",
    show_default=True,
    help="deflate for older programs.",
)
@click.option("--any-version", is_flag=True, help="Take a model of another scikit-learn.")
@_vectors
@_drivers
@_workers
@_quiet
def score(
    model_path: Path,
    sources: tuple[Path, ...],
    output: Path,
    mapping: tuple[str, ...],
    area: Path | None,
    permissive: str | None,
    exclude: Path | None,
    engine: str,
    tile: int | None,
    compress: str,
    any_version: bool,
    vectors: tuple[str, ...],
    drivers: tuple[str, ...],
    workers: int | None,
    quiet: bool,
) -> None:
    """Score layers with MODEL and write a map that opens in QGIS.

    SOURCES is a project folder, or GeoTIFFs in any order.
    """
    from dataclasses import replace

    from prospect.ground import make_ground
    from prospect.model import load_model
    from prospect.raster import require_writable_folder
    from prospect.scoring import score as score_stack
    from prospect.scoring import select_layers
    from prospect.stack import as_project, open_stack

    require_writable_folder(output)
    model = load_model(model_path, any_version=any_version)
    ground = make_ground(area, permissive)
    model.ground = replace(
        model.ground,
        area=ground.area or model.ground.area,
        permissive=ground.permissive or model.ground.permissive,
    )
    settled = {name: Path(path) for name, path in _pairs(mapping).items()}
    given = _source(sources)
    if isinstance(given, list):
        given += [path for path in settled.values() if path not in given]
    project = as_project(given, vectors=_pairs(vectors), allow_drivers=drivers)
    names = {name: _layer_of(path, project) for name, path in settled.items()}
    project, unused = select_layers(model, project, names, guessed=isinstance(given, list))
    if unused:
        click.echo(f"Not used by the model: {', '.join(unused)}.", err=True)
    stack = open_stack(project, allow_drivers=drivers)
    _tell_alignment(stack)
    score_stack(
        model,
        stack,
        output,
        engine=engine,
        workers=workers,
        tile=tile,
        mapping=names,
        exclude=exclude,
        compress=compress,
        progress=_progress(quiet),
    )
    click.echo(f"{model.title}: {output}, with {output.stem}.qml and {output.stem}.manifest.json.")
    click.echo(model.quality())


@main.command(epilog="Example: prospect doctor")
def doctor() -> None:
    """Show versions, memory and disk, for a report of a problem."""
    from prospect.diagnosis import diagnosis

    for name, text in diagnosis().items():
        click.echo(f"{name:<14} {text}")


def run() -> None:
    """Start from a shell."""
    # Foreign libraries talk to the log and in warnings; people get our own sentences.
    logging.captureWarnings(True)
    logging.getLogger().addHandler(logging.NullHandler())
    if not sys.warnoptions:
        warnings.simplefilter("ignore")
    for stream in (sys.stdout, sys.stderr):
        # Names of layers and places are not ASCII, whatever the locale says.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="replace")
    main(prog_name="prospect")


def _source(sources: tuple[Path, ...]) -> Path | list[Path]:
    """A project, or a list of layers."""
    if len(sources) == 1 and (sources[0].is_dir() or sources[0].suffix == ".toml"):
        return sources[0]
    return list(sources)


def _pairs(texts: tuple[str, ...]) -> dict[str, str]:
    """``NAME=PATH`` options as a dict."""
    pairs = {}
    for text in texts:
        name, equals, path = text.partition("=")
        if not equals or not name or not path:
            raise click.UsageError(f"'{text}' is not of the form NAME=PATH.")
        pairs[name] = path
    return pairs


def _layer_of(path: Path, project: Project) -> str:
    """The layer of a project that a path, or a name, means."""
    for spec in project.layers:
        if spec.path == path or spec.name == str(path) or spec.path.resolve() == path.resolve():
            return spec.name
    raise ModelError(f"There is no layer {path} to map to: give it with the others.")


def _tell_alignment(stack: xr.Dataset) -> None:
    """Say which layers were brought onto the grid, and what stood in for their own words."""
    methods = Counter(
        str(layer.attrs["resampling"])
        for layer in stack.data_vars.values()
        if layer.attrs["resampling"] not in ("same", "burnt in")
    )
    if methods:
        told = ", ".join(f"{method} {count}" for method, count in methods.items())
        click.echo(
            f"{methods.total()} of {len(stack.data_vars)} layers are brought onto the grid "
            f"({told}): 'prospect inspect' shows how.",
            err=True,
        )
    for name, layer in stack.data_vars.items():
        for note in layer.attrs.get("notes", []):
            click.echo(f"{name}: {note}.", err=True)


def _progress(quiet: bool) -> Progress:
    from prospect.progress import bars, silent

    return silent if quiet else bars


def _list(title: str, lines: list[str]) -> None:
    if lines:
        click.echo(f"\n{title}")
        for line in lines:
            click.echo(f"  - {line}")


if __name__ == "__main__":
    run()
