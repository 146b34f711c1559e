"""A command of the program as an algorithm of the toolbox."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from qgis.core import (
    QgsProcessing,
    QgsProcessingAlgorithm,
    QgsProcessingException,
    QgsProcessingOutputString,
    QgsProcessingParameterFile,
    QgsProcessingParameterMatrix,
    QgsProcessingParameterMultipleLayers,
)

from . import settings
from .description import CommandError, ask, command_of
from .fields import ADVANCED, destination_of, field_of, missing_file, value_of
from .layers import files_of, roles_of
from .process import run
from .results import load_results
from .words import event_of, percent, sentence_of, words_of

LAYERS, ROLES, PROJECT, MODEL = "qgis_layers", "qgis_roles", "qgis_project", "qgis_model"
SAID = "said"
"""Fields that the command line has not, and the text that every algorithm returns."""

TAIL = 20


class CommandAlgorithm(QgsProcessingAlgorithm):
    """A command whose form follows from the program's description of itself."""

    def __init__(self, description, name, say, icon):
        super().__init__()
        self.description, self.say, self.picture = description, say, icon
        self.command = command_of(description, name)
        self.shown = [p for p in self.command["parameters"] if not p["shell"]]
        self.sources = next((p for p in self.shown if "layers" in p["kind"]), None)
        self.making = command_of(description, "init")

    def createInstance(self):
        return CommandAlgorithm(self.description, self.name(), self.say, self.picture)

    def name(self):
        return self.command["name"]

    def displayName(self):
        return self.say.of(self.command["label"])

    def icon(self):
        return self.picture

    def shortDescription(self):
        return self.say.of(self.command["help"])

    def shortHelpString(self):
        example = self.command["example"].splitlines()[:1]
        parts = [self.say.of(self.command["help"])]
        parts += [f"<b>{d.description()}</b>: {d.help()}" for d in self.parameterDefinitions()]
        parts += [self.say("example", example=each) for each in example]
        return "<p>" + "</p><p>".join(part.replace("\n", "<br>") for part in parts) + "</p>"

    def canExecute(self):
        try:
            settings.require_command(self.say)
        except CommandError as error:
            return False, str(error)
        return True, ""

    def initAlgorithm(self, configuration=None):
        for parameter in self.shown:
            if parameter is self.sources:
                self._add_sources(parameter)
            else:
                self.addParameter(field_of(parameter, self.say))
        names = {parameter["name"] for parameter in self.shown}
        for parameter in self._of_the_grid():
            if parameter["name"] not in names:
                self.addParameter(field_of(parameter, self.say))
        self.addOutput(QgsProcessingOutputString(SAID, self.say("said")))

    def _of_the_grid(self):
        """How layers of the open project become one grid."""
        if self.sources is None:
            return []
        return [p for p in self.making["parameters"] if p["rare"]]

    def _add_sources(self, parameter):
        """Layers of the open project, or a folder; the model before them where one is taken."""
        say = self.say
        if parameter["kind"].startswith("model"):
            self._add(
                QgsProcessingParameterFile(
                    MODEL, say("model"), extension="prospect", optional=True
                ),
                say("model_help"),
            )
        kind, folder = QgsProcessing.TypeMapLayer, QgsProcessingParameterFile.Folder
        self._add(
            QgsProcessingParameterMultipleLayers(LAYERS, say("layers"), kind, optional=True),
            say("layers_help"),
        )
        headers = [say("role_layer"), say("role_role")]
        self._add(
            QgsProcessingParameterMatrix(ROLES, say("roles"), 0, False, headers, optional=True),
            say("roles_help"),
        )
        kept = QgsProcessingParameterFile(PROJECT, say("project"), folder, optional=True)
        kept.setFlags(kept.flags() | ADVANCED)
        self._add(kept, say("project_help"))
        label = say("folder_of", label=say.of(parameter["label"]))
        self._add(
            QgsProcessingParameterFile(parameter["name"], label, folder, optional=True),
            say.of(parameter["help"]),
        )

    def _add(self, field, says):
        field.setHelp(says)
        self.addParameter(field)

    def checkParameterValues(self, parameters, context):
        for parameter in self.shown:
            missing = missing_file(parameter, parameters.get(parameter["name"]))
            if missing:
                label = self.say.of(parameter["label"])
                return False, self.say("no_file", label=label, path=missing)
        return super().checkParameterValues(parameters, context)

    def prepareAlgorithm(self, parameters, context, feedback):
        form = _Form(self, parameters, context, feedback)
        self.folder = Path(tempfile.mkdtemp(prefix="prospect-"))
        self.refused = ""  # what is raised here QGIS keeps to itself
        try:
            self.program = settings.require_command(self.say)
            self._require_same()
            self.values = {
                p["name"]: value_of(p, form, self.say)
                for p in self.shown
                if p is not self.sources and not p["writes"]
            }
            self.project = None
            if self.sources is not None:
                self._prepare_sources(form)
        except CommandError as error:
            self.refused = str(error)
        return True

    def _require_same(self):
        """The program still is the one that the form was made for."""
        found = ask(self.program, settings.environment(), self.say)
        if found != self.description:
            # Another program than when QGIS started, or the first: the next form is of this one.
            if self.provider() is not None and hasattr(self.provider(), "renew_soon"):
                self.provider().renew_soon()
            if found["commands"] != self.description["commands"]:
                versions = {"found": found["prospect"], "made": self.description["prospect"]}
                raise CommandError(self.say("changed", **versions))

    def _prepare_sources(self, form):
        layers = form.ask("LayerList", LAYERS) if form.given(LAYERS) else []
        given = form.ask("String", self.sources["name"]) if form.given(self.sources["name"]) else ""
        if layers and given:
            raise CommandError(self.say("layers_and_folder"))
        if not layers and not given:
            raise CommandError(self.say("layers_or_folder"))
        sources = [str(Path(given).absolute())] if given else []
        if layers:
            matrix = form.ask("Matrix", ROLES) if form.given(ROLES) else []
            roles = roles_of(layers, matrix, self.say)
            kept = form.ask("String", PROJECT) if form.given(PROJECT) else ""
            self.project = Path(kept).absolute() if kept else self.folder / "project"
            self.making_values = self._project_values(form, layers, roles)
            sources = [str(self.project)]
        if self.sources["kind"].startswith("model") and form.given(MODEL):
            sources.insert(0, str(Path(form.ask("String", MODEL)).absolute()))
        self.values[self.sources["name"]] = sources

    def _project_values(self, form, layers, roles):
        """Values of the command that makes a project, by what its parameters are for."""
        files = files_of(layers, self.project, form.context, form.feedback, self.say)
        values = {p["name"]: value_of(p, form, self.say) for p in self._of_the_grid()}
        for parameter in self.making["parameters"]:
            if not parameter["flags"]:
                values[parameter["name"]] = list(dict.fromkeys(files))
            elif parameter["writes"]:
                values[parameter["name"]] = str(self.project)
            elif parameter["metavar"] == "ROLE=PATH":
                values[parameter["name"]] = [
                    f"{roles[layer.name()]}={path}"
                    for layer, path in zip(layers, files)
                    if layer.name() in roles
                ]
        return values

    def processAlgorithm(self, parameters, context, feedback):
        try:
            if self.refused:
                raise QgsProcessingException(self.refused)
            return self._process(parameters, context, feedback)
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)

    def _process(self, parameters, context, feedback):
        form = _Form(self, parameters, context, feedback)
        written = {}
        for parameter in self.shown:
            if parameter["writes"]:
                written[parameter["name"]] = destination_of(parameter, form)
        if self.project is not None:
            self._run(self.making, self.making_values, feedback)
            if feedback.isCanceled():
                return {}
        said = self._run(self.command, {**self.values, **written}, feedback)
        if feedback.isCanceled():
            return {}
        load_results(self.command, written, context, self.say)
        return {**{name: path for name, path in written.items() if path}, SAID: said}

    def _run(self, command, values, feedback):
        """Run a command; what it said, or its own sentence as the error."""
        shell = {
            p["name"]: "json"
            for p in command["parameters"]
            if p["shell"] and "json" in p.get("choices", ())
        }
        words = words_of(command, {**values, **shell})
        feedback.pushCommandInfo(
            self.say("runs", version=self.description["prospect"], command=" ".join(words))
        )
        said, told = [], []

        def out(line):
            said.append(line)
            feedback.pushInfo(line)

        def err(line):
            event = event_of(line)
            if event is None:
                told.append(line)
                if not line.startswith("Error: "):
                    feedback.pushInfo(line)
                return
            if event["event"] == "start":
                feedback.setProgressText(event["title"])
            feedback.setProgress(percent(event))

        try:
            code = run(
                [str(self.program), *words],
                folder=self.folder,
                environ=settings.environment(),
                out=out,
                err=err,
                stopped=feedback.isCanceled,
            )
        except OSError as error:
            why = error.strerror or str(error)
            sentence = self.say("cannot_start", command=self.program, why=why)
            raise QgsProcessingException(sentence) from error
        if feedback.isCanceled():
            feedback.pushInfo(self.say("cancelled"))
        elif code:
            tail = " / ".join(told[-TAIL:])
            raise QgsProcessingException(
                sentence_of(told) or self.say("failed", code=code, said=tail)
            )
        return "\n".join(said)


class _Form:
    """The values that were filled in."""

    def __init__(self, algorithm, parameters, context, feedback):
        self.algorithm, self.parameters = algorithm, parameters
        self.context, self.feedback = context, feedback

    def given(self, name):
        """What was filled in, None for nothing."""
        value = self.parameters.get(name)
        return None if value in ("", []) else value

    def ask(self, kind, name):
        """A value as QGIS understands it."""
        return getattr(self.algorithm, f"parameterAs{kind}")(self.parameters, name, self.context)

    def vector_file(self, name, formats):
        """The file of a vector layer, written to one if it has a filter or is from elsewhere."""
        return self.algorithm.parameterAsCompatibleSourceLayerPath(
            self.parameters, name, self.context, formats, formats[0], self.feedback
        )
