"""Puts the provider into QGIS, and takes it out again."""

from qgis.core import QgsApplication

from .provider import Provider


class Plugin:
    """The plugin, with or without windows."""

    def __init__(self):
        self.provider = None

    def initProcessing(self):
        """Add the provider; all that qgis_process calls."""
        self.provider = Provider()
        QgsApplication.processingRegistry().addProvider(self.provider)

    def initGui(self):
        """Start in QGIS."""
        self.initProcessing()

    def unload(self):
        """Leave QGIS."""
        QgsApplication.processingRegistry().removeProvider(self.provider)
