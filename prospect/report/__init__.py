"""One self-contained page about a map: it needs no network, and can be sent and printed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prospect.errors import OutputError
from prospect.map_file import MapFile, open_map, reduced_grid
from prospect.project import Project
from prospect.raster import atomic_path
from prospect.report.contents import MOST_CELLS, Sources, contents
from prospect.report.language import LANGUAGES, load_language
from prospect.stack import open_stack

if TYPE_CHECKING:
    from prospect.model import Model
    from prospect.validation import Validation

__all__ = ["LANGUAGES", "write_report"]

_ASSETS = Path(__file__).parent / "assets"


def write_report(
    output: Path | str,
    scored: MapFile | Path | str,
    model: Model,
    project: Project | Path | str | None = None,
    *,
    targets: Any = None,
    validation: Validation | Mapping[str, Any] | None = None,
    language: str = "en",
) -> Path:
    """
    Write the report of a map.

    Parameters
    ----------
    output : path
        An HTML file; everything is in it.
    scored : path
        The GeoTIFF of ``prospect score``.
    model : Model
        That made it.
    project : Project or path, optional
        The layers: for relief, faults and gaps.
    targets : GeoDataFrame, optional
        From ``prospect targets``.
    validation : Validation or mapping, optional
        What ``prospect validate`` found, or what its ``validation.json`` holds.
    language : {'en', 'ru'}

    Returns
    -------
    Path

    Raises
    ------
    LayerError
        If the map is none.
    OutputError
        If the file cannot be written.
    """
    output = Path(output)
    if output.suffix.lower() not in (".html", ".htm"):
        raise OutputError(f"The report is a page, so its name ends in .html, not '{output.name}'.")
    words = load_language(language)
    opened = scored if isinstance(scored, MapFile) else open_map(scored)
    grid = reduced_grid(opened.grid, MOST_CELLS)
    stack = None if project is None else open_stack(project, grid=grid)
    told = (
        validation
        if validation is None or isinstance(validation, Mapping)
        else (validation.to_dict())
    )
    values = contents(Sources(opened, model, stack, targets, told or {}), words)
    with atomic_path(output) as path:
        path.write_text(_page(values), encoding="utf-8", newline="\n")
    return output


def _page(values: Mapping[str, Any]) -> str:
    """The page, with its style, script and map library inside."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(_ASSETS),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    # A '<' in data could end the script it stands in.
    data = json.dumps(values["map"], ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    inlined = {
        "data": data.replace("<", "\\u003c"),
        "leaflet_js": _asset("leaflet/leaflet.js"),
        "leaflet_css": _asset("leaflet/leaflet.css"),
        "style": _asset("style.css"),
        "script": _asset("map.js"),
    }
    return environment.get_template("page.html").render(values, **inlined) + "\n"


def _asset(name: str) -> str:
    return (_ASSETS / name).read_text(encoding="utf-8")
