"""A map as bytes of classes, which ArcGIS and old viewers show in their colours and by name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from prospect.errors import LayerError, OutputError
from prospect.grid import Window
from prospect.map_file import MapFile, open_map
from prospect.raster import atomic_path, write_palette
from prospect.report.language import Language, load_language
from prospect.scoring import DISCLAIMER
from prospect.styles import COLOURS, SHARES, category_names, class_style, thresholds
from prospect.targets.cells import strips
from prospect.vector import write_dbf

SEEN = 4_000_000
"""Cells that limits are taken from, at most: as many as the style of the map is made of."""

GAP = 255
"""Where the map has no score."""


def share_names(language: Language) -> list[str]:
    """Names of the classes, lowest scores first."""
    rest, top = language.say("map", "rest"), f"{100 * SHARES[-1]:g}"
    between = [
        language.say("map", "between", low=f"{100 * low:g}", high=f"{100 * high:g}")
        for high, low in pairwise(SHARES)
    ]
    return [rest, *between, language.say("map", "top", share=top)]


def score_band(scored: MapFile) -> str:
    """The band a map is about."""
    return "probability" if "probability" in scored else "likelihood"


def share_limits(scored: MapFile) -> list[float]:
    """
    The scores at which the colour changes: those of the QGIS style beside the map.

    Raises
    ------
    LayerError
        If the map has no score anywhere.
    """
    grid, band = scored.grid, score_band(scored)
    stride = max(1, int(np.ceil(np.sqrt(grid.rows * grid.cols / SEEN))))
    seen = []
    for window in strips(grid):
        some = scored.read(band, window)[-window.row % stride :: stride, ::stride]
        seen.append(some[some == some])
    limits = thresholds(np.concatenate(seen))
    if not limits:
        raise LayerError(f"{scored.path} has no score in any cell: there is nothing to show.")
    return limits


def classify(values: NDArray[np.float32], limits: Sequence[float]) -> NDArray[np.uint8]:
    """
    The class of every cell.

    Returns
    -------
    array of uint8
        0 for scores up to the first limit, 1 up to the second…; 255 for gaps.
    """
    found = np.searchsorted(limits, values, side="left").astype(np.uint8)
    found[values != values] = GAP
    return found


def write_classes(
    output: Path | str, scored: MapFile | Path | str, *, language: str = "en"
) -> list[Path]:
    """
    Write a map as classes by share of the area: 0, the lower half, to 6, the best 1 %.

    Parameters
    ----------
    output : path
        A GeoTIFF of bytes with a palette, DEFLATE, gaps 255. Beside it come ``.qml`` (QGIS:
        colours and legend), ``.tif.vat.dbf`` (ArcGIS: names, counts, colours),
        ``.tif.aux.xml`` (GDAL: names) and ``.clr`` (colours as text).
    scored : MapFile or path
        From ``prospect score``.
    language : {'en', 'ru'}
        Of the names.

    Returns
    -------
    list of Path
        What was written, the GeoTIFF first.

    Raises
    ------
    LayerError
        If the map is none.
    OutputError
        If a file cannot be written.
    """
    output = Path(output)
    if output.suffix.lower() not in (".tif", ".tiff"):
        raise OutputError(f"Classes are a GeoTIFF, so the name ends in .tif, not '{output.name}'.")
    words = load_language(language)
    opened = scored if isinstance(scored, MapFile) else open_map(scored)
    if output.resolve() == opened.path.resolve():
        raise OutputError(f"{output} is the map itself: give the classes another name.")
    band, names, limits = score_band(opened), share_names(words), share_limits(opened)
    colours = [_rgb(colour) for colour in COLOURS]
    counts = np.zeros(GAP + 1, np.int64)

    def blocks() -> Iterator[tuple[Window, NDArray[np.uint8]]]:
        for window in strips(opened.grid):
            cells = classify(opened.read(band, window), limits)
            counts[:] += np.bincount(cells.ravel(), minlength=GAP + 1)
            yield window, cells

    title = f"{words.say('bands', band)}: {words.say('export', 'classes')}"
    tags = {"CONTENT": "; ".join(f"{k}: {name}" for k, name in enumerate(names))}
    write_palette(
        output,
        opened.grid,
        blocks(),
        colours,
        gap=GAP,
        description=title,
        tags={**tags, "DISCLAIMER": DISCLAIMER},
    )
    beside = {
        output.with_suffix(".qml"): class_style(names, title, COLOURS),
        output.with_name(f"{output.name}.aux.xml"): category_names(names),
        output.with_suffix(".clr"): "".join(
            f"{k} {red} {green} {blue}\n" for k, (red, green, blue) in enumerate(colours)
        ),
    }
    for path, text in beside.items():
        with atomic_path(path) as temporary:
            temporary.write_text(text, encoding="utf-8", newline="\n")
    table = output.with_name(f"{output.name}.vat.dbf")
    write_dbf(_attributes(names, limits, counts, colours), table)
    return [output, *beside, table, table.with_suffix(".cpg")]


def _attributes(
    names: Sequence[str],
    limits: Sequence[float],
    counts: NDArray[np.int64],
    colours: Sequence[tuple[int, int, int]],
) -> pd.DataFrame:
    """A row a class, in the columns that ArcGIS knows."""
    table: dict[str, Any] = {
        "Value": np.arange(len(names), dtype=np.int32),
        "Count": counts[: len(names)].astype(np.int32 if counts.max() < 2**31 else np.float64),
        "Class_name": list(names),
        "Score_to": [*limits, np.nan],
    }
    for name, each in zip(("Red", "Green", "Blue"), zip(*colours, strict=True), strict=True):
        table[name] = np.array(each, np.int32)
    return pd.DataFrame(table)


def _rgb(colour: str) -> tuple[int, int, int]:
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return red, green, blue
