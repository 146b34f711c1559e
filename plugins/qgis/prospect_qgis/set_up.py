"""The algorithm that gives the program an environment of its own."""

from __future__ import annotations

from qgis.core import (
    QgsProcessingAlgorithm,
    QgsProcessingException,
    QgsProcessingOutputString,
    QgsProcessingParameterFile,
)

from . import settings
from .description import CommandError
from .making import find_python, make, what_to_install
from .process import run

WHEELS, COPY, PYTHON, COMMAND = "wheels", "copy", "python", "command"


class SetUp(QgsProcessingAlgorithm):
    """Makes the environment, once."""

    def __init__(self, say, icon):
        super().__init__()
        self.say, self.picture = say, icon

    def createInstance(self):
        return SetUp(self.say, self.picture)

    def name(self):
        return "setup"

    def displayName(self):
        return self.say("set_up")

    def icon(self):
        return self.picture

    def shortHelpString(self):
        return self.say("set_up_help")

    def initAlgorithm(self, configuration=None):
        folder = QgsProcessingParameterFile.Folder
        self.addParameter(
            QgsProcessingParameterFile(WHEELS, self.say("wheels"), folder, optional=True)
        )
        self.addParameter(QgsProcessingParameterFile(COPY, self.say("copy"), folder, optional=True))
        python = QgsProcessingParameterFile(PYTHON, self.say("python"), optional=True)
        python.setFileFilter("Python (*)")  # on Linux its name has no dot
        self.addParameter(python)
        self.addOutput(QgsProcessingOutputString(COMMAND, self.say("command")))

    def processAlgorithm(self, parameters, context, feedback):
        wheels, copy, python = (
            self.parameterAsString(parameters, name, context).strip()
            for name in (WHEELS, COPY, PYTHON)
        )
        environ = settings.environment()

        def step(title, words):
            feedback.setProgressText(title)
            said = []

            def hear(line):
                said.append(line)
                feedback.pushInfo(line)

            try:
                code = run(
                    words,
                    folder=settings.root(),
                    environ=environ,
                    out=hear,
                    err=hear,
                    stopped=feedback.isCanceled,
                )
            except OSError as error:
                return str(error)
            if feedback.isCanceled():
                return self.say("cancelled")
            errors = [line for line in said if "error" in line.lower()] or said
            return " ".join(errors[-3:]) or str(code) if code else ""

        try:
            install = what_to_install(wheels, copy, self.say)
            found = find_python(python, environ, self.say)
            settings.root().mkdir(parents=True, exist_ok=True)
            command, about = make(settings.root(), found, install, environ, self.say, step)
        except CommandError as error:
            if feedback.isCanceled():
                return {}
            raise QgsProcessingException(str(error)) from error
        feedback.pushInfo(self.say("ready", version=about["prospect"], command=command))
        return {COMMAND: str(command)}

    def postProcessAlgorithm(self, context, feedback):
        if hasattr(self.provider(), "renew_soon"):
            self.provider().renew_soon()
        return {}
