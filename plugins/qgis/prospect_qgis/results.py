"""Results come into the project as meant: styled, named, in one group."""

from __future__ import annotations

from pathlib import Path

from qgis.core import (
    QgsMapLayerType,
    QgsPalettedRasterRenderer,
    QgsProcessingContext,
    QgsProcessingLayerPostProcessorInterface,
    QgsProject,
)

GROUP = "prospect"

_kept = []
"""QGIS holds no reference to what it calls afterwards."""


def load_results(command, written, context, say) -> None:
    """Style and name the layers that QGIS is to load, and load what stands beside them."""
    for parameter, path in written.items():
        if not path or not context.willLoadLayerOnCompletion(path):
            continue
        if not Path(path).exists():  # a dry run writes nothing
            left = context.layersToLoadOnCompletion()
            left.pop(path)
            context.setLayersToLoadOnCompletion(left)
            continue
        name = _name(command["name"], Path(path), say, unnamed=parameter)
        details = context.layerToLoadOnCompletionDetails(path)
        project = details.project or QgsProject.instance()
        _settle(details, name, say, shown=True)
        for beside, word in companions(Path(path)):
            more = QgsProcessingContext.LayerDetails(name, project, "")
            _settle(more, say("band", name=name, band=word_of(word, say)), say, shown=False)
            context.addLayerToLoadOnCompletion(str(beside), more)


def companions(path: Path) -> list[tuple[Path, str]]:
    """Bands of classes beside a map, each a file of its own, and what they are called."""
    found = []
    for beside in sorted(path.parent.glob(f"{path.stem}.*.tif")):
        word = beside.name[len(path.stem) + 1 : -len(".tif")]
        if "." not in word and beside.with_suffix(".qml").exists():
            found.append((beside, word))
    return found


def word_of(word, say) -> str:
    """What a band is called in this language."""
    try:
        return say(f"band_{word}")
    except KeyError:
        return word


def _name(command, path, say, unnamed) -> str:
    """What it is, and the file's name; that of a temporary file tells nothing."""
    what = say(f"loaded_{command}")
    return what if path.stem == unnamed else say("named", what=what, stem=path.stem)


def _settle(details, name, say, *, shown) -> None:
    details.name = name
    details.forceName = True
    if hasattr(details, "groupName"):  # QGIS 3.32 and later
        details.groupName = GROUP
    processor = _Finish(name, say, shown)
    _kept.append(processor)
    details.setPostProcessor(processor)


class _Finish(QgsProcessingLayerPostProcessorInterface):
    """Gives a layer its style, its name and its place."""

    def __init__(self, name, say, shown):
        super().__init__()
        self.name, self.say, self.shown = name, say, shown

    def postProcessLayer(self, layer, context, feedback):
        layer.loadDefaultStyle()
        layer.setName(self.name)
        translate(layer, self.say)
        tree = QgsProject.instance().layerTreeRoot()
        node = tree.findLayer(layer.id())
        if node is None:  # later versions of QGIS put it into its group themselves
            return
        node.setItemVisibilityChecked(self.shown)
        node.setExpanded(self.shown)
        if node.parent() is tree:
            group = tree.findGroup(GROUP) or tree.insertGroup(0, GROUP)
            group.insertChildNode(0 if self.shown else -1, node.clone())
            tree.removeChildNode(node)


def translate(layer, say) -> None:
    """A legend in the language of QGIS."""
    renderer = layer.renderer()
    if layer.type() == QgsMapLayerType.VectorLayer:
        if renderer.type() == "categorizedSymbol":
            for index, category in enumerate(renderer.categories()):
                renderer.updateCategoryLabel(index, say.legend(category.label()))
    elif renderer.type() == "singlebandpseudocolor":
        function = renderer.shader().rasterShaderFunction()
        items = function.colorRampItemList()
        for item in items:
            item.label = say.legend(item.label)
        function.setColorRampItemList(items)
    elif renderer.type() == "paletted":
        classes = renderer.classes()
        for each in classes:
            each.label = say.legend(each.label)
        new = QgsPalettedRasterRenderer(layer.dataProvider(), renderer.band(), classes)
        layer.setRenderer(new)
