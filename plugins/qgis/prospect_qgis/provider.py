"""The algorithms in the toolbox."""

from __future__ import annotations

from pathlib import Path

from qgis.core import QgsProcessingProvider
from qgis.PyQt.QtCore import QTimer
from qgis.PyQt.QtGui import QIcon

from . import settings
from .algorithm import CommandAlgorithm
from .set_up import SetUp

COMMANDS = ("inspect", "train", "score", "validate", "targets", "report", "compare")


class Provider(QgsProcessingProvider):
    """What the program can do, and the algorithm that sets it up."""

    def __init__(self):
        super().__init__()
        self.say = settings.texts()
        self.picture = QIcon(str(Path(__file__).with_name("icon.svg")))

    def id(self):
        return "prospect"

    def name(self):
        return "Prospect"

    def icon(self):
        return self.picture

    def load(self):
        self._offer_setting()
        self.refreshAlgorithms()
        return True

    def loadAlgorithms(self):
        description = settings.describe(self.say)
        told = {command["name"] for command in description["commands"]}
        for name in COMMANDS:
            if name in told:
                self.addAlgorithm(CommandAlgorithm(description, name, self.say, self.picture))
        self.addAlgorithm(SetUp(self.say, self.picture))

    def renew_soon(self):
        """Make the forms anew, once what runs has ended."""
        QTimer.singleShot(0, self.refreshAlgorithms)

    def _offer_setting(self):
        try:
            from processing.core.ProcessingConfig import ProcessingConfig, Setting
        except ImportError:
            return  # QGIS without its Processing plugin
        ProcessingConfig.settingIcons[self.name()] = self.picture
        ProcessingConfig.addSetting(
            Setting(self.name(), settings.NAME, self.say("setting"), "", valuetype=Setting.FILE)
        )
        ProcessingConfig.readSettings()
