"""Rasters on other computers, through GDAL's virtual files, where the user opens that door."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

from prospect.errors import LayerError

HANDLERS = ("/vsis3/", "/vsigs/", "/vsiaz/", "/vsicurl/")
"""GDAL's names of object storage of Amazon and those alike, Google and Microsoft, and of HTTP."""

SETTINGS = {
    "CPL_VSIL_CURL_ALLOWED_EXTENSIONS": ".tif,.tiff,.TIF,.TIFF",
    "GDAL_HTTP_CONNECTTIMEOUT": 10,
    "GDAL_HTTP_TIMEOUT": 120,
    "GDAL_HTTP_MAX_RETRY": 3,
    "GDAL_HTTP_RETRY_DELAY": 1,
}
"""Of GDAL, while such a raster is read: what a network loses is asked for again."""


def is_door(name: str) -> bool:
    """Whether a name among the drivers that are allowed opens a door."""
    return name.startswith("/vsi")


def require_doors(doors: Sequence[str]) -> None:
    """
    Refuse doors that GDAL has no handler for, or that end within a name.

    Raises
    ------
    LayerError
    """
    for door in doors:
        if not door.startswith(HANDLERS) or not door.endswith("/") or ".." in door:
            raise LayerError(
                f"'{door}' cannot be allowed: the beginning of paths was expected, up to a slash, "
                "such as /vsis3/bucket/ or /vsicurl/https://data.example.org/ "
                f"(of {', '.join(HANDLERS)})."
            )


def remote_name(path: Path | str, doors: Sequence[str]) -> str | None:
    """
    What GDAL knows a raster on another computer as; None for a file on this one.

    Parameters
    ----------
    path : path
    doors : sequence of str
        Beginnings of paths that the user has allowed.

    Raises
    ------
    LayerError
        If the path is not among those that are allowed.
    """
    text = _spelled(os.fspath(path))
    if not text.startswith(HANDLERS) or "\0" in text:
        return None
    if ".." in text.split("/") or not text.startswith(tuple(doors)):
        handler, *rest = re.match(r"(/vsi\w+/)((?:https?://)?[^/]*)", text).groups()  # type: ignore[union-attr]
        raise LayerError(
            f"'{text[:80]}' lies on another computer, and nothing is fetched unasked: download "
            f"it, or open the door with --allow-remote {handler}{rest[0]}/"
        )
    return text


def _spelled(text: str) -> str:
    """A name as it was before ``Path`` made one slash of two."""
    return re.sub(r"^/vsicurl/(https?):/+", r"/vsicurl/\1://", text)
