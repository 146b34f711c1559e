"""How a map looks in QGIS: a style file beside it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from xml.sax.saxutils import escape, quoteattr

import numpy as np
from numpy.typing import NDArray

SHARES = (0.50, 0.20, 0.10, 0.05, 0.02, 0.01)
"""Shares of the area, counted from the highest score, at which the colour changes."""

# Perceptually even and safe for colour-blind readers: steps of matplotlib's "inferno",
# from dark, unlikely ground to bright, likely ground.
COLOURS = ("#1b0c41", "#4a0c6b", "#781c6d", "#a52c60", "#cf4446", "#ed6925", "#fcffa4")


def thresholds(scores: NDArray[np.float32]) -> list[float]:
    """The scores above which each of ``SHARES`` of the area lies, lowest first."""
    valid = scores[scores == scores]
    if valid.size == 0:
        return []
    return [float(v) for v in np.quantile(valid, [1 - share for share in SHARES])]


def share_labels() -> list[str]:
    """What the colours stand for, lowest scores first."""
    return [
        f"lowest {100 * (1 - SHARES[0]):g} % of the area",
        *(f"top {100 * low:g}–{100 * high:g} %" for high, low in pairwise(SHARES)),
        f"top {100 * SHARES[-1]:g} %",
    ]


def qgis_style(limits: Sequence[float], title: str) -> str:
    """
    A QGIS style that colours a score by share of the area.

    Parameters
    ----------
    limits : sequence of float
        From :func:`thresholds`.
    title : str
        Of the legend.

    Returns
    -------
    str
        The text of a ``.qml`` file.
    """
    return _steps(limits, COLOURS, share_labels(), title)


CHANGES = (-0.2, -0.1, -0.03, 0.03, 0.1, 0.2)
"""Changes of rank at which the colour changes: shares of the ground that a cell has passed."""

# Brown down, blue up, for colour-blind readers too (ColorBrewer's BrBG, its green made blue).
CHANGE_COLOURS = ("#8c510a", "#d8b365", "#f6e8c3", "#f5f5f5", "#c7ddf0", "#6baed6", "#08519c")


def change_labels() -> list[str]:
    """What the colours of a change of rank stand for, losses first."""
    parts = [f"{100 * low:g}–{100 * high:g} %" for low, high in pairwise(CHANGES[3:])]
    most = f"more than {100 * CHANGES[-1]:g} %"
    down = [f"down by {part}" for part in (most, *reversed(parts))]
    return [*down, "about the same", *(f"up by {part}" for part in (*parts, most))]


def change_style(title: str) -> str:
    """
    A QGIS style for the change of rank from one map to another.

    Returns
    -------
    str
        The text of a ``.qml`` file.
    """
    return _steps(CHANGES, CHANGE_COLOURS, change_labels(), title)


def _steps(
    limits: Sequence[float], colours: Sequence[str], labels: Sequence[str], title: str
) -> str:
    """A style whose colour changes at limits, lowest values first."""
    items = []
    for colour, limit, label in zip(colours, [*limits, float("inf")], labels, strict=True):
        value = "inf" if limit == float("inf") else repr(limit)
        items.append(
            f'<item color="{colour}" value="{value}" alpha="255" label={quoteattr(label)}/>'
        )
    return (
        "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n"
        '<qgis version="3.22" styleCategories="AllStyleCategories">\n'
        f"<title>{escape(title)}</title>\n"
        "<pipe>\n"
        '<rasterrenderer type="singlebandpseudocolor" band="1" opacity="1" alphaBand="-1" '
        'nodataColor="">\n'
        "<rastershader>\n"
        '<colorrampshader colorRampType="DISCRETE" classificationMode="1" clip="0">\n'
        + "\n".join(items)
        + "\n</colorrampshader>\n</rastershader>\n</rasterrenderer>\n</pipe>\n</qgis>\n"
    )


# Told apart by colour-blind readers too (Okabe and Ito), then lighter once more.
_CLASS_COLOURS = (
    "#0072b2",
    "#e69f00",
    "#009e73",
    "#cc79a7",
    "#56b4e9",
    "#d55e00",
    "#f0e442",
    "#999999",
)


def class_colours(count: int) -> list[tuple[int, int, int, int]]:
    """Red, green, blue and alpha of as many classes."""
    return [(*_class_colour(k), 255) for k in range(count)]


def class_style(classes: Sequence[str], title: str, colours: Sequence[str] | None = None) -> str:
    """
    A QGIS style for a band of classes.

    Parameters
    ----------
    classes : sequence of str
        Names of the values 0, 1, 2…
    title : str
    colours : sequence of str, optional
        As ``#rrggbb``, one a class; by default those of :func:`class_colours`.

    Returns
    -------
    str
        The text of a ``.qml`` file.
    """
    if colours is None:
        colours = [f"#{r:02x}{g:02x}{b:02x}" for r, g, b, _ in class_colours(len(classes))]
    items = [
        f'<paletteEntry value="{k}" color="{colour}" alpha="255" label={quoteattr(name)}/>'
        for k, (name, colour) in enumerate(zip(classes, colours, strict=True))
    ]
    return (
        "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n"
        '<qgis version="3.22" styleCategories="AllStyleCategories">\n'
        f"<title>{escape(title)}</title>\n"
        "<pipe>\n"
        '<rasterrenderer type="paletted" band="1" opacity="1" alphaBand="-1" nodataColor="">\n'
        "<colorPalette>\n"
        + "\n".join(items)
        + "\n</colorPalette>\n</rasterrenderer>\n</pipe>\n</qgis>\n"
    )


def category_names(classes: Sequence[str]) -> str:
    """The text of an ``.aux.xml`` file that names the classes of a band to GDAL."""
    names = "".join(f"<Category>{escape(name)}</Category>" for name in classes)
    return (
        f'<PAMDataset><PAMRasterBand band="1"><CategoryNames>{names}</CategoryNames>'
        "</PAMRasterBand></PAMDataset>\n"
    )


def _class_colour(k: int) -> tuple[int, int, int]:
    """One of eight colours, halfway to white for every eight classes before."""
    text, paler = _CLASS_COLOURS[k % 8], 0.5 ** (k // 8)
    red, green, blue = (round(255 - (255 - int(text[i : i + 2], 16)) * paler) for i in (1, 3, 5))
    return red, green, blue


# Kinds of targets as they are drawn: colour, dash and width in millimetres. The colour stands
# out from every colour of the ramp, for colour-blind readers too.
TARGET_LINES = {
    "targets": ("#00a0be", "solid", 0.8),
    "around known deposits": ("#00a0be", "solid", 0.3),
    "outside experience": ("#5a5a5a", "dash", 0.6),
}

TARGET_MARKS = {"targets": "T", "around known deposits": "K", "outside experience": "X"}
"""What a target's name begins with, before its rank in its list."""


def target_style() -> str:
    """
    A QGIS style of targets: outlines named T1, K1, X1 by list and rank, thin around known
    deposits, dashed outside experience.

    Returns
    -------
    str
        The text of a ``.qml`` file.
    """

    def symbol(number: int, colour: str, dash: str, width: float) -> str:
        options = {
            "line_color": _rgba(colour),
            "line_style": dash,
            "line_width": f"{width:g}",
            "line_width_unit": "MM",
            "joinstyle": "round",
        }
        # QGIS from 3.20 reads the first form, older ones the second.
        new = "".join(
            f'<Option type="QString" name="{k}" value="{v}"/>' for k, v in options.items()
        )
        old = "".join(f'<prop k="{k}" v="{v}"/>' for k, v in options.items())
        return (
            f'<symbol type="fill" name="{number}" alpha="1" clip_to_extent="1" force_rhr="0">'
            '<layer class="SimpleLine" enabled="1" locked="0" pass="0">'
            f'<Option type="Map">{new}</Option>{old}</layer></symbol>\n'
        )

    categories = "".join(
        f'<category value="{name}" label="{name}" symbol="{k}" render="true"/>\n'
        for k, name in enumerate(TARGET_LINES)
    )
    symbols = "".join(symbol(k, *each) for k, each in enumerate(TARGET_LINES.values()))
    marks = " ".join(
        f"WHEN \"list\" = '{name}' THEN '{mark}'" for name, mark in TARGET_MARKS.items()
    )
    named = quoteattr(f"CASE {marks} ELSE '' END || \"rank\"")
    return (
        "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n"
        '<qgis version="3.22" styleCategories="Symbology|Labeling" labelsEnabled="1">\n'
        '<renderer-v2 type="categorizedSymbol" attr="list" enableorderby="0" forceraster="0" '
        'symbollevels="0">\n'
        f"<categories>\n{categories}</categories>\n<symbols>\n{symbols}</symbols>\n"
        "</renderer-v2>\n"
        '<labeling type="simple"><settings calloutType="simple">'
        f'<text-style fieldName={named} isExpression="1" fontFamily="Sans Serif" '
        'fontSize="9" fontSizeUnit="Point" fontWeight="75" textColor="20,20,20,255" '
        'textOpacity="1">'
        '<text-buffer bufferDraw="1" bufferSize="0.8" bufferSizeUnits="MM" '
        'bufferColor="255,255,255,255" bufferOpacity="1"/></text-style>'
        '<placement placement="1" centroidInside="1"/>'
        '<rendering drawLabels="1" displayAll="0" obstacle="0"/></settings></labeling>\n'
        "</qgis>\n"
    )


def _rgba(colour: str) -> str:
    """A colour as QGIS keeps it in properties."""
    return ",".join(str(int(colour[i : i + 2], 16)) for i in (1, 3, 5)) + ",255"
