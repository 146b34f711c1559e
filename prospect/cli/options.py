"""Options that several commands take, and what their texts mean."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import click

from prospect.cli.kinds import Rare, Shell

if TYPE_CHECKING:
    from prospect.ground import Area
    from prospect.progress import Progress

F = TypeVar("F", bound=Callable[..., Any])

_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*((?:[kmgt]i?)?b?)", re.IGNORECASE)
_UNITS = {"": 1.0, "K": 1e3, "M": 1e6, "G": 1e9, "T": 1e12} | {
    f"{letter}I": 1024.0**k for k, letter in enumerate("KMGT", 1)
}


def takes_drivers(command: F) -> F:
    """Let a command open further raster drivers, follow sidecars, and read over the network."""

    @wraps(command)
    def with_all(
        *args: Any,
        drivers: tuple[str, ...],
        sidecars: bool,
        remote: tuple[str, ...],
        **options: Any,
    ) -> Any:
        # To the readers, a sidecar or a place elsewhere is one more format that is allowed.
        drivers = (*drivers, "PAM") if sidecars else drivers
        return command(*args, drivers=(*drivers, *remote), **options)

    takes = click.option(
        "--allow-driver",
        "drivers",
        cls=Rare,
        multiple=True,
        metavar="NAME",
        help="Open this raster format too, e.g. AIG for ESRI grids. Repeatable.",
    )
    allows = click.option(
        "--allow-sidecars",
        "sidecars",
        cls=Rare,
        is_flag=True,
        help="Let the .aux.xml beside a raster say its place, nodata and scale.",
    )
    fetches = click.option(
        "--allow-remote",
        "remote",
        cls=Rare,
        multiple=True,
        metavar="PREFIX",
        help="Read GeoTIFFs over the network whose paths begin so, e.g. /vsis3/bucket/; nothing "
        "is fetched otherwise. Repeatable.",
    )
    return cast(F, takes(allows(fetches(with_all))))


def takes_workers(command: F) -> F:
    """Let a command use several processors."""
    return click.option(
        "--workers",
        cls=Rare,
        type=click.IntRange(min=1),
        metavar="N",
        help="Processors to use; by default all.",
    )(command)


def takes_scheduler(command: F) -> F:
    """Let a command use a cluster."""
    return click.option(
        "--scheduler",
        cls=Rare,
        metavar="ADDRESS",
        help="Work on all workers of this dask.distributed cluster, e.g. tcp://10.0.0.5:8786, or "
        "the file of its scheduler. It must be trusted.",
    )(command)


def cluster_of(scheduler: str | None) -> AbstractContextManager[Any]:
    """While it lasts, folds are fitted on a cluster, if one is given."""
    if scheduler is None:
        return nullcontext()
    from prospect.held_out import on_cluster

    return on_cluster(scheduler)


def takes_quiet(command: F) -> F:
    """Let a command be silent."""
    return click.option("-q", "--quiet", cls=Shell, is_flag=True, help="Show no progress.")(command)


def takes_progress(command: F) -> F:
    """Let a command tell its progress to people or to machines."""
    return click.option(
        "--progress",
        "told",
        cls=Shell,
        type=click.Choice(["auto", "json"]),
        default="auto",
        show_default=True,
        help="auto: a bar, or lines where there is no terminal; json: a line of JSON each.",
    )(command)


def takes_vectors(command: F) -> F:
    """Let a command burn vector files in."""
    return click.option(
        "--vector",
        "vectors",
        cls=Rare,
        multiple=True,
        metavar="ROLE=PATH",
        help="Burn a vector file in, e.g. faults.thrust=thrusts.gpkg. Repeatable.",
    )(command)


def takes_crs(command: F) -> F:
    """Let a command name what files leave unsaid of their coordinates."""
    return click.option(
        "--crs",
        metavar="CRS",
        help="Coordinate system of vectors and tables: EPSG:28412, gauss-kruger for zones before "
        "eastings, local-metres where only the unit is known.",
    )(command)


def takes_sheet(command: F) -> F:
    """Let a command be bounded by a map sheet."""
    return click.option(
        "--sheet",
        cls=Rare,
        metavar="NAME",
        help="Map sheet that bounds the work, e.g. J-42-XII.",
    )(command)


def area_of(area: Path | None, sheet: str | None) -> Path | Area | None:
    """What bounds the work: polygons or a sheet."""
    if sheet is None:
        return area
    if area is not None:
        raise click.UsageError("--area and --sheet both bound the work: give one of them.")
    from prospect.ground import sheet_area

    return sheet_area(sheet)


def source_of(sources: tuple[Path, ...]) -> Path | list[Path]:
    """A project, or a list of layers."""
    if len(sources) == 1 and (sources[0].is_dir() or sources[0].suffix == ".toml"):
        return sources[0]
    return list(sources)


def pairs_of(texts: tuple[str, ...]) -> dict[str, str]:
    """``NAME=PATH`` options as a dict."""
    return dict(roles_of(texts))


def roles_of(texts: tuple[str, ...]) -> list[tuple[str, str]]:
    """``ROLE=PATH`` options as pairs: several files may have one role."""
    pairs = []
    for text in texts:
        name, equals, path = text.partition("=")
        if not equals or not name or not path:
            raise click.UsageError(f"'{text}' is not of the form NAME=PATH.")
        pairs.append((name, path))
    return pairs


def progress_of(quiet: bool, told: str = "auto") -> Progress:
    """What tells the progress."""
    from prospect.progress import bars, json_lines, silent

    if told == "json":
        return json_lines
    return silent if quiet else bars


class Memory(click.ParamType[float]):
    """An amount of memory such as 1.5GB or 800MB, in bytes."""

    name = "size"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Bytes."""
        match = _SIZE.fullmatch(str(value).strip())
        if match is None or float(match[1]) <= 0:
            self.fail(f"'{value}' is no amount of memory: write, for example, 1.5GB or 800MB.")
        return float(match[1]) * _UNITS[(match[2] or "").upper().removesuffix("B")]


def tell_first_run(quiet: bool) -> None:
    """Say once why the first run takes longer: afterwards the compiled kernels are kept."""
    import os

    from prospect import _kernels

    kept = os.environ.get("NUMBA_CACHE_DIR") or Path(_kernels.__file__).parent
    if not quiet and not any(Path(kept).rglob("*.nbi")):
        click.echo(
            "The first run compiles what it computes with, for half a minute at most.", err=True
        )


def tell_list(title: str, lines: list[str]) -> None:
    """Echo lines under a title, if there are any."""
    if lines:
        click.echo(f"\n{title}")
        for line in lines:
            click.echo(f"  - {line}")


def counted(number: int, noun: str) -> str:
    """1 layer, 2 layers."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def be(number: int) -> str:
    """Is or are."""
    return "is" if number == 1 else "are"
