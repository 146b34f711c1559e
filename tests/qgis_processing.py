"""Run algorithms in QGIS as a user does; run by the system's Python, not by pytest.

Reads ``{"locale", "plugins", "setting", "jobs"}`` from standard input and answers with a line of
JSON a job: the results or the sentence, what was said, and what stands in the project.
"""

import json
import os
import sys
import threading
import time
from pathlib import Path

from qgis.core import (
    QgsApplication,
    QgsMapRendererSequentialJob,
    QgsMapSettings,
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingFeedback,
    QgsProject,
    QgsRasterLayer,
    QgsSettings,
    QgsVectorLayer,
)
from qgis.PyQt.QtCore import QSize
from qgis.PyQt.QtGui import QColor


class Heard(QgsProcessingFeedback):
    """What an algorithm says."""

    def __init__(self):
        super().__init__(False)
        self.lines, self.titles, self.percents = [], [], []
        self.progressChanged.connect(self.percents.append)

    def pushInfo(self, info):
        self.lines.append(info)

    def setProgressText(self, text):
        self.titles.append(text)

    def pushCommandInfo(self, info):
        self.lines.append(info)

    def reportError(self, error, fatalError=False):
        self.lines.append(error)


def run_job(job):
    import processing

    QgsProject.instance().clear()
    named = {}
    for name, path, condition in job.get("layers", ()):
        kind = QgsRasterLayer if path.endswith(".tif") else QgsVectorLayer
        layer = kind(path, name)
        assert layer.isValid(), path
        if condition:
            layer.setSubsetString(condition)
        QgsProject.instance().addMapLayer(layer)
        named[name] = layer
    values = {
        name: [named[each] for each in value] if name == "qgis_layers" else value
        for name, value in job["values"].items()
    }
    heard, context = Heard(), QgsProcessingContext()
    context.setProject(QgsProject.instance())
    context.setFeedback(heard)
    seen = {}
    if "cancel_on" in job:
        threading.Thread(target=cancel, args=(heard, job["cancel_on"], seen), daemon=True).start()
    begin = time.monotonic()
    answer = {}
    try:
        call = processing.runAndLoadResults if job.get("load", True) else processing.run
        results = call(job["algorithm"], values, feedback=heard, context=context)
        answer["results"] = {name: str(value) for name, value in results.items()}
    except QgsProcessingException as error:
        answer["sentence"] = str(error)
    answer["seconds"] = time.monotonic() - begin
    answer["cancelled_at"] = seen.get("at", 0) and seen["at"] - begin
    answer["children"] = seen.get("children", [])
    answer["said"], answer["titles"] = heard.lines, heard.titles
    answer["percents"] = [min(heard.percents, default=0), max(heard.percents, default=0)]
    answer["tree"] = [told(node) for node in QgsProject.instance().layerTreeRoot().findLayers()
                      if node.layer().name() not in named]  # fmt: skip
    if "png" in job:
        render(job["png"], job.get("width", 400))
    return answer


def cancel(heard, title, seen):
    """Ask to stop once something is under way."""
    while title not in heard.titles:
        time.sleep(0.05)
    time.sleep(0.5)
    seen["children"] = children_of(os.getpid())
    seen["at"] = time.monotonic()
    heard.cancel()


def children_of(pid):
    """Processes that descend from one, as Linux tells."""
    found = []
    for folder in Path("/proc").iterdir():
        try:
            parent = int((folder / "stat").read_text().rsplit(")", 1)[1].split()[1])
        except (OSError, IndexError, ValueError):
            continue
        if parent == pid:
            found += [int(folder.name), *children_of(int(folder.name))]
    return found


def told(node):
    layer, parent = node.layer(), node.parent()
    renderer = layer.renderer()
    if renderer.type() == "singlebandpseudocolor":
        items = renderer.shader().rasterShaderFunction().colorRampItemList()
        legend = [[item.label, item.color.name()] for item in items]
    elif renderer.type() == "paletted":
        legend = [[each.label, each.color.name()] for each in renderer.classes()]
    else:
        legend = [[item.label(), ""] for item in renderer.legendSymbolItems()]
    return {
        "name": layer.name(),
        "source": layer.source(),
        "group": parent.name() if parent.parent() else "",
        "shown": node.isVisible(),
        "renderer": renderer.type(),
        "legend": legend,
    }


def render(png, width):
    """The project as its tree says: what is shown, in its order."""
    layers = [n.layer() for n in QgsProject.instance().layerTreeRoot().findLayers()
              if n.isVisible()]  # fmt: skip
    settings = QgsMapSettings()
    settings.setLayers(layers)
    settings.setDestinationCrs(layers[-1].crs())
    settings.setBackgroundColor(QColor("white"))
    extent = layers[-1].extent()
    height = round(width * extent.height() / extent.width())
    settings.setOutputSize(QSize(width, height))
    settings.setExtent(extent)
    work = QgsMapRendererSequentialJob(settings)
    work.start()
    work.waitForFinished()
    work.renderedImage().save(png)


def form(algorithm):
    """The parameters of an algorithm."""
    return {
        "name": algorithm.displayName(),
        "help": algorithm.shortHelpString(),
        "can": list(algorithm.canExecute()),
        "parameters": {
            d.name(): {
                "type": d.type(),
                "label": d.description(),
                "help": d.help(),
                "optional": bool(d.flags() & d.FlagOptional),
                "rare": bool(d.flags() & d.FlagAdvanced),
                "default": d.defaultValue(),
            }
            for d in algorithm.parameterDefinitions()
        },
    }


def main():
    asked = json.load(sys.stdin)
    QgsApplication.setPrefixPath("/usr", True)
    application = QgsApplication([], False)
    application.initQgis()  # before settings, whose place it knows
    QgsSettings().setValue("locale/overrideFlag", True)
    QgsSettings().setValue("locale/userLocale", asked.get("locale", "en_US"))
    sys.path[:0] = ["/usr/share/qgis/python/plugins", asked["plugins"]]
    key = "Processing/Configuration/PROSPECT_COMMAND"
    QgsSettings().setValue(key, asked.get("setting", ""))
    from processing.core.Processing import Processing

    Processing.initialize()
    import prospect_qgis

    plugin = prospect_qgis.classFactory(None)
    plugin.initProcessing()
    provider = QgsApplication.processingRegistry().providerById("prospect")
    forms = {algorithm.name(): form(algorithm) for algorithm in provider.algorithms()}
    print(json.dumps({"forms": forms}), flush=True)  # noqa: T201
    for job in asked["jobs"]:
        if "setting" in job:
            QgsSettings().setValue(key, job["setting"])
        print(json.dumps(run_job(job)), flush=True)  # noqa: T201
    # Left without exitQgis: its teardown is known to crash when Python still holds layers.
    os._exit(0)


if __name__ == "__main__":
    main()
