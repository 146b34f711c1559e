"""Open layers in QGIS as a user does and render them; run by the system's Python, not by pytest.

Reads ``[{"path": ..., "png": ..., "width": ..., "height": ...}]`` from standard input and
answers with a line of JSON a layer: what QGIS made of it. Styles are those it finds by itself.
"""

import json
import os
import sys

from qgis.core import (
    QgsApplication,
    QgsMapRendererSequentialJob,
    QgsMapSettings,
    QgsProject,
    QgsRasterLayer,
    QgsVectorLayer,
)
from qgis.PyQt.QtCore import QSize
from qgis.PyQt.QtGui import QColor


def opened(path):
    if path.split("|")[0].endswith((".tif", ".tiff")):
        return QgsRasterLayer(path, "layer", "gdal")
    return QgsVectorLayer(path, "layer", "ogr")


def told(layer):
    # Adding a layer to a project loads its style; so does this.
    message, styled = layer.loadDefaultStyle()
    renderer = layer.renderer()
    answer = {
        "valid": layer.isValid(),
        "styled": styled,
        "message": message,
        "renderer": renderer.type(),
        "crs": layer.crs().authid(),
    }
    if isinstance(layer, QgsRasterLayer):
        answer["legend"] = list(map(list, legend_of(renderer)))
    else:
        answer["legend"] = [item.label() for item in renderer.legendSymbolItems()]
        answer["features"] = layer.featureCount()
        answer["labels"] = names_of(layer) if layer.labelsEnabled() else []
    return answer


def legend_of(renderer):
    """Names and colours of the classes of a raster."""
    if renderer.type() == "paletted":
        return [(each.label, each.color.name()) for each in renderer.classes()]
    items = renderer.shader().rasterShaderFunction().colorRampItemList()
    return [(item.label, item.color.name()) for item in items]


def names_of(layer):
    """What the labels say, a text a feature."""
    # Kept in names: PyQGIS points into what it would otherwise free.
    settings = layer.labeling().settings()
    expression = settings.getLabelExpression()
    context = layer.createExpressionContext()
    expression.prepare(context)
    names = []
    for feature in layer.getFeatures():
        context.setFeature(feature)
        names.append(expression.evaluate(context))
    return names


def rendered(layer, job):
    QgsProject.instance().addMapLayer(layer)
    settings = QgsMapSettings()
    settings.setLayers([layer])
    settings.setDestinationCrs(layer.crs())
    settings.setBackgroundColor(QColor("white"))
    settings.setOutputSize(QSize(job["width"], job["height"]))
    extent = layer.extent()
    if job.get("margin"):
        extent.grow(job["margin"])
    settings.setExtent(extent)
    settings.setFlag(QgsMapSettings.Antialiasing, False)
    work = QgsMapRendererSequentialJob(settings)
    work.start()
    work.waitForFinished()
    work.renderedImage().save(job["png"])
    shown = settings.visibleExtent()
    return [shown.xMinimum(), shown.yMinimum(), shown.xMaximum(), shown.yMaximum()]


def main():
    QgsApplication.setPrefixPath("/usr", True)
    application = QgsApplication([], False)
    application.initQgis()
    for job in json.load(sys.stdin):
        layer = opened(job["path"])
        answer = {"valid": False}
        if layer.isValid():
            answer = told(layer)
            answer["extent"] = rendered(layer, job)
        sys.stdout.write(json.dumps(answer) + "\n")
    # Left without exitQgis: its teardown is known to crash when Python still holds layers.
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
