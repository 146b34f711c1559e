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
        answer["legend"] = [
            [label, colour.name()] for label, colour in layer.legendSymbologyItems()
        ]
    else:
        answer["legend"] = [item.label() for item in renderer.legendSymbolItems()]
        answer["features"] = layer.featureCount()
        answer["labels"] = layer.labelsEnabled() and layer.labeling() is not None
    return answer


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
