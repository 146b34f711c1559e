"""Draw the pictures of docs/howto/qgis.md, by QGIS itself: ``python tools/make_qgis_pictures.py``.

Packs the plugin, takes a copy of the sample region through it in the QGIS of the system's Python
(tools/install_qgis.sh), and writes the toolbox, a form and the map to docs/howto/pictures.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
QGIS_PYTHON = "/usr/bin/python3"
TO = ROOT / "docs" / "howto" / "pictures"


def outside() -> None:
    """Prepare all that QGIS needs, and start it."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        tool = ROOT / "tools" / "make_qgis_plugin.py"
        done = subprocess.run([sys.executable, tool], capture_output=True, text=True, check=True)
        with zipfile.ZipFile(done.stdout.strip()) as archive:
            archive.extractall(folder / "plugins")
        shutil.copytree(ROOT / "sample_data" / "region", folder / "region")
        command = folder / "prospect"
        command.write_text(
            f"#!{sys.executable}\nimport sys; sys.path.insert(0, {str(ROOT)!r})\n"
            "from prospect.cli import run\nrun()\n"
        )
        command.chmod(0o755)
        folder.chmod(0o700)
        TO.mkdir(exist_ok=True)
        environment = {"PATH": "/usr/bin:/bin", "HOME": made, "XDG_RUNTIME_DIR": made,
                       "QT_QPA_PLATFORM": "offscreen", "LC_ALL": "C.UTF-8"}  # fmt: skip
        words = [QGIS_PYTHON, __file__, json.dumps([made, str(TO)])]
        subprocess.run(words, env=environment, check=True)


def inside(folder: Path, to: Path) -> None:
    """Draw, in QGIS."""
    from qgis.core import QgsApplication, QgsProject, QgsRasterLayer, QgsSettings, QgsVectorLayer

    QgsApplication.setPrefixPath("/usr", True)
    application = QgsApplication([], True)
    application.initQgis()
    font = application.font()
    font.setPointSize(8)
    application.setFont(font)
    QgsSettings().setValue("Processing/Configuration/PROSPECT_COMMAND", str(folder / "prospect"))
    sys.path[:0] = ["/usr/share/qgis/python/plugins", str(folder / "plugins")]
    from processing.core.Processing import Processing

    Processing.initialize()
    import processing
    from prospect_qgis.provider import Provider

    provider = Provider()
    registry = QgsApplication.processingRegistry()
    registry.addProvider(provider)
    region, model, scored = folder / "region", folder / "gold.prospect", folder / "gold.tif"
    for name in ("magnetics", "gravity", "lithology", "Au_ppm", "As_ppm"):
        QgsProject.instance().addMapLayer(QgsRasterLayer(str(region / f"{name}.tif"), name))
    faults = QgsVectorLayer(f"{region / 'faults.gpkg'}|layername=faults", "faults")
    QgsProject.instance().addMapLayer(faults)
    layers = list(QgsProject.instance().mapLayers())
    known = QgsVectorLayer(str(region / "occurrences.csv"), "occurrences")
    QgsProject.instance().addMapLayer(known)
    _toolbox(to / "qgis_toolbox.png")
    filled = {
        "qgis_layers": layers,
        "qgis_roles": ["lithology", "geology.lithology"],
        "commodity": "gold",
        "occurrences": known.id(),
    }
    _form("prospect:train", filled, to / "qgis_train.png")
    QgsProject.instance().clear()
    steps = {
        "train": {"sources": region, "commodity": "gold", "output": model},
        "score": {"model_path": model, "sources": region, "output": scored},
        "targets": {"scored": scored, "model": model, "minimum": 5,
                    "output": folder / "gold-targets.gpkg"},
    }  # fmt: skip
    for name, values in steps.items():
        values = {key: v if isinstance(v, int) else str(v) for key, v in values.items()}
        processing.runAndLoadResults(f"prospect:{name}", values)
    _project(to / "qgis_map.png")


def _toolbox(path: Path) -> None:
    """The provider in the tree of the toolbox."""
    from qgis.core import QgsApplication
    from qgis.gui import QgsProcessingToolboxTreeView

    view = QgsProcessingToolboxTreeView()
    view.setRegistry(QgsApplication.processingRegistry())
    view.setFilterString("prospect")
    view.expandAll()
    view.setHeaderHidden(True)
    view.resize(230, 190)
    _grab(view, path)


def _form(algorithm: str, filled: dict, path: Path) -> None:
    """An algorithm as its dialog shows it."""
    from processing.gui.AlgorithmDialog import AlgorithmDialog
    from qgis.core import QgsApplication

    about = QgsApplication.processingRegistry().createAlgorithmById(algorithm)
    dialog = AlgorithmDialog(about, False, None)
    dialog.setParameters(filled)
    dialog.resize(760, 480)
    _grab(dialog, path)


def _project(path: Path) -> None:
    """The legend of the project beside its map."""
    from qgis.core import QgsLayerTreeModel, QgsMapRendererSequentialJob, QgsMapSettings, QgsProject
    from qgis.gui import QgsLayerTreeView
    from qgis.PyQt.QtCore import QSize
    from qgis.PyQt.QtGui import QColor, QImage, QPainter

    root = QgsProject.instance().layerTreeRoot()
    shown = [node.layer() for node in root.findLayers() if node.isVisible()]
    settings = QgsMapSettings()
    settings.setLayers(shown)
    settings.setDestinationCrs(shown[-1].crs())
    settings.setExtent(shown[-1].extent())
    settings.setOutputSize(QSize(600, 480))
    settings.setBackgroundColor(QColor("white"))
    work = QgsMapRendererSequentialJob(settings)
    work.start()
    work.waitForFinished()
    tree, model = QgsLayerTreeView(), QgsLayerTreeModel(root)
    tree.setModel(model)
    model.setFlag(QgsLayerTreeModel.AllowNodeChangeVisibility)
    tree.expandToDepth(1)
    tree.resize(260, 480)
    legend = _grab(tree, None)
    sheet = QImage(860, 480, QImage.Format_RGB32)
    sheet.fill(QColor("white"))
    painter = QPainter(sheet)
    painter.drawPixmap(0, 0, legend)
    painter.drawImage(260, 0, work.renderedImage())
    painter.end()
    sheet.save(str(path), quality=0)  # the smallest file


def _grab(widget, path: Path | None):
    """A widget as it looks."""
    from qgis.PyQt.QtWidgets import QApplication

    widget.show()
    for _ in range(20):
        QApplication.processEvents()
    picture = widget.grab()
    if path is not None:
        picture.save(str(path))
    return picture


if __name__ == "__main__":
    if len(sys.argv) > 1:
        inside(*map(Path, json.loads(sys.argv[1])))
        sys.stdout.flush()
        os._exit(0)  # the teardown of QGIS is known to crash when Python still holds layers
    outside()
