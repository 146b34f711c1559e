"""Layers of the open project as files that the program can read, and their roles."""

from __future__ import annotations

import shutil
from pathlib import Path

from qgis.core import QgsMapLayerType, QgsProcessingUtils

from .description import CommandError

VECTOR_FORMATS = ["gpkg", "shp", "geojson", "json", "kml", "csv", "xlsx"]


def raster_file(layer, say) -> str:
    """
    The file of a raster.

    Raises
    ------
    CommandError
        If it comes from a server or a database.
    """
    path = layer.source().split("|")[0]
    provider = layer.dataProvider().name() if layer.dataProvider() else "?"
    if provider != "gdal" or not Path(path).exists():
        raise CommandError(say("not_a_file", layer=layer.name(), provider=provider))
    return path


def file_of(layer, context, feedback, say) -> str:
    """The file of a layer; vectors with a filter, or from elsewhere, are written to one."""
    if layer.type() == QgsMapLayerType.RasterLayer:
        return raster_file(layer, say)
    stem = "".join(c if c.isalnum() or c in "-_" else "_" for c in layer.name()) or "layer"
    return QgsProcessingUtils.convertToCompatibleFormat(
        layer, False, stem, VECTOR_FORMATS, "gpkg", context, feedback
    )


def roles_of(layers, matrix, say) -> dict[str, str]:
    """
    Roles by name of layer, from the rows of a table.

    Raises
    ------
    CommandError
        If a row names a layer that was not chosen.
    """
    known = [layer.name() for layer in layers]
    cells = [str(cell or "").strip() for cell in matrix or []]
    roles = {}
    for name, role in zip(cells[::2], cells[1::2]):
        if not name or not role:
            continue
        if name not in known:
            raise CommandError(say("no_such_layer", layer=name, known=", ".join(known)))
        roles[name] = role
    return roles


def files_of(layers, folder, context, feedback, say) -> list[str]:
    """Files of layers; those that QGIS had to write come into ``folder`` to stay."""
    passing = Path(QgsProcessingUtils.tempFolder())
    files = []
    for layer in layers:
        path = Path(file_of(layer, context, feedback, say))
        if passing in path.parents:
            folder.mkdir(parents=True, exist_ok=True)
            path = Path(shutil.copy(path, folder))
        files.append(str(path))
    return files
