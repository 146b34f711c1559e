"""Parameters of the command line as fields of a form, and what their values become."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from qgis.core import (
    QgsProcessing,
    QgsProcessingParameterBoolean,
    QgsProcessingParameterDefinition,
    QgsProcessingParameterEnum,
    QgsProcessingParameterFile,
    QgsProcessingParameterFileDestination,
    QgsProcessingParameterFolderDestination,
    QgsProcessingParameterMultipleLayers,
    QgsProcessingParameterNumber,
    QgsProcessingParameterRasterDestination,
    QgsProcessingParameterRasterLayer,
    QgsProcessingParameterString,
    QgsProcessingParameterVectorDestination,
    QgsProcessingParameterVectorLayer,
)

from .description import CommandError
from .layers import VECTOR_FORMATS, raster_file

FILTERS = {
    "model": "Prospect (*.prospect)",
    "page": "HTML (*.html)",
    "table": "CSV (*.csv)",
}
FOLDERS = ("folder", "project", "layers", "model and layers")
ADVANCED = QgsProcessingParameterDefinition.FlagAdvanced


def field_of(parameter: Mapping[str, Any], say) -> QgsProcessingParameterDefinition:
    """The field for a parameter of the command line."""
    label, says = say.of(parameter["label"]), say.of(parameter["help"])
    if parameter["unit"]:
        label = say("in_unit", label=label, unit=parameter["unit"])
    if parameter["multiple"] and parameter["type"] == "text":
        says = say("several", help=says)
    make = _written if parameter["writes"] else _MAKERS[parameter["type"]]
    field = make(parameter, label)
    field.setHelp(says)
    if parameter["rare"]:
        field.setFlags(field.flags() | ADVANCED)
    return field


def _flag(parameter, label):
    return QgsProcessingParameterBoolean(parameter["name"], label, defaultValue=False)


def _choice(parameter, label):
    return QgsProcessingParameterEnum(
        parameter["name"],
        label,
        options=parameter["choices"],
        allowMultiple=parameter["multiple"],
        defaultValue=parameter["default"],
        optional=_optional(parameter),
        usesStaticStrings=True,
    )


def _number(parameter, label):
    if parameter["values"] > 1:
        return _text(parameter, label)
    kinds = QgsProcessingParameterNumber
    field = QgsProcessingParameterNumber(
        parameter["name"],
        label,
        type=kinds.Integer if parameter["type"] == "integer" else kinds.Double,
        defaultValue=parameter["default"],
        optional=_optional(parameter),
    )
    if parameter.get("minimum") is not None:
        field.setMinimum(parameter["minimum"])
    if parameter.get("maximum") is not None:
        field.setMaximum(parameter["maximum"])
    return field


def _text(parameter, label):
    return QgsProcessingParameterString(
        parameter["name"],
        label,
        defaultValue=parameter["default"],
        multiLine=parameter["multiple"],
        optional=_optional(parameter),
    )


def _path(parameter, label):
    name, kind, optional = parameter["name"], parameter["kind"], _optional(parameter)
    if parameter["values"] > 1:
        return QgsProcessingParameterMultipleLayers(
            name, label, QgsProcessing.TypeFile, optional=optional
        )
    if kind in ("raster", "map"):
        return QgsProcessingParameterRasterLayer(name, label, optional=optional)
    if kind in ("vector", "points"):
        return QgsProcessingParameterVectorLayer(
            name, label, [QgsProcessing.TypeVector], optional=optional
        )
    behaviour = QgsProcessingParameterFile.Folder if kind in FOLDERS else 0
    field = QgsProcessingParameterFile(name, label, behaviour, optional=optional)
    if kind in FILTERS:
        field.setFileFilter(FILTERS[kind])
    return field


def _written(parameter, label):
    name, kind = parameter["name"], parameter["kind"]
    optional = parameter["writes"] != "always"
    more = {"optional": optional, "createByDefault": not optional}
    if kind == "raster":
        return QgsProcessingParameterRasterDestination(name, label, **more)
    if kind == "vector":
        polygons = QgsProcessing.TypeVectorPolygon
        return QgsProcessingParameterVectorDestination(name, label, polygons, **more)
    if kind == "folder":
        return QgsProcessingParameterFolderDestination(name, label, **more)
    return QgsProcessingParameterFileDestination(name, label, FILTERS[kind], **more)


def _optional(parameter) -> bool:
    return not parameter["required"]


_MAKERS = {
    "flag": _flag,
    "choice": _choice,
    "integer": _number,
    "number": _number,
    "text": _text,
    "path": _path,
}


def value_of(parameter: Mapping[str, Any], form, say) -> Any:
    """
    What a field holds, as :func:`words.words_of` takes it.

    ``form`` is the algorithm with its parameters, context and feedback. Of what is written
    only :func:`destination_of` knows.
    """
    name, kind = parameter["name"], parameter["type"]
    if form.given(name) is None and parameter["default"] is None:
        return None
    if kind == "flag":
        return form.ask("Boolean", name)
    if kind == "choice":
        return form.ask("EnumStrings" if parameter["multiple"] else "EnumString", name)
    if kind in ("integer", "number") and parameter["values"] == 1:
        return form.ask("Int" if kind == "integer" else "Double", name)
    if kind != "path":
        text = form.ask("String", name)
        if parameter["multiple"]:
            return [line.strip() for line in text.splitlines() if line.strip()]
        return text.replace(",", " ").split() if parameter["values"] > 1 else text.strip()
    return _place(parameter, form, say)


def _place(parameter, form, say) -> Any:
    name, kind = parameter["name"], parameter["kind"]
    if parameter["values"] > 1:
        files = form.ask("FileList", name)
        if files and len(files) != parameter["values"]:
            count = {"count": parameter["values"], "given": len(files)}
            label = say.of(parameter["label"])
            raise CommandError(say("number_of_files", label=label, **count))
        return [str(Path(each).absolute()) for each in files]
    path = ""
    if kind in ("raster", "map"):
        layer = form.ask("RasterLayer", name)
        path = raster_file(layer, say) if layer is not None else ""
    elif kind in ("vector", "points") and form.ask("VectorLayer", name) is not None:
        path = form.vector_file(name, VECTOR_FORMATS)
    path = path or form.ask("String", name)
    return str(Path(path).absolute()) if path else None


def missing_file(parameter: Mapping[str, Any], value: Any) -> str:
    """A path typed into a field of layers that does not exist, or nothing."""
    layers = parameter["type"] == "path" and not parameter["writes"]
    if not layers or parameter["kind"] not in ("raster", "map", "vector", "points"):
        return ""
    text = value if isinstance(value, str) else ""
    looks_like_a_path = "/" in text or "\\" in text
    path = text.split("|")[0]
    return path if looks_like_a_path and "://" not in path and not Path(path).exists() else ""


def destination_of(parameter: Mapping[str, Any], form) -> str | None:
    """Where a field says to write; None if it is left out."""
    name = parameter["name"]
    if parameter["writes"] != "always" and not form.given(name):
        return None
    layer = parameter["kind"] in ("raster", "vector")
    path = form.ask("OutputLayer" if layer else "FileOutput", name)
    return str(Path(path).absolute()) if path else None
