"""The command line told to machines: complete, true, and translated."""

import json

import click
import pytest
from click.testing import CliRunner

from prospect._version import __version__
from prospect.cli import main
from prospect.cli.description import SCHEMA, texts

OFFERED = ("inspect", "train", "score", "validate", "targets", "report", "compare")
"""What forms are made of, by the plugin for QGIS."""


@pytest.fixture(scope="module")
def described():
    result = CliRunner().invoke(main, ["--describe"])
    assert result.exit_code == 0, result.output
    assert result.output.isascii()
    return json.loads(result.output)


def parameters_of(described, command):
    (found,) = (each for each in described["commands"] if each["name"] == command)
    return {each["name"]: each for each in found["parameters"]}


def parsers():
    for name, command in main.commands.items():
        if isinstance(command, click.Group):
            for below, each in command.commands.items():
                yield f"{name} {below}", each
        else:
            yield name, command


def test_every_command_and_option_is_told(described):
    assert described["schema"] == SCHEMA and described["prospect"] == __version__
    told = {
        command["name"]: [(p["name"], p["flags"]) for p in command["parameters"]]
        for command in described["commands"]
    }
    assert told == {
        name: [(p.name, [] if isinstance(p, click.Argument) else p.opts) for p in command.params]
        for name, command in parsers()
    }
    assert set(OFFERED) < set(told)


def test_types_ranges_choices_and_kinds_are_told(described):
    train = parameters_of(described, "train")
    folds, prior = train["folds"], train["prior"]
    assert (folds["type"], folds["minimum"], folds["default"]) == ("integer", 2, 5)
    assert (prior["type"], prior["maximum"], prior["above_minimum"]) == ("number", 1, True)
    assert train["block_size"]["unit"] == "m"
    assert train["background"]["choices"] == ["distance", "deposits", "dissimilar", "mixed"]
    assert train["commodity"]["required"] and not train["area"]["required"]
    assert (train["occurrences"]["kind"], train["output"]["kind"]) == ("points", "model")
    assert train["without"]["multiple"] and train["without"]["default"] is None
    assert train["seed"]["rare"] and not train["seed"]["shell"]
    assert train["told"]["shell"] and train["told"]["flags"] == ["--progress"]
    compare = parameters_of(described, "compare")
    assert compare["models"]["values"] == 2
    assert compare["output"]["writes"] == "if named"
    assert parameters_of(described, "score")["resume"]["type"] == "flag"


@pytest.mark.parametrize("command", [*OFFERED, "init"])
def test_what_forms_show_has_english_and_russian(described, command):
    (found,) = (each for each in described["commands"] if each["name"] == command)
    for each in (found, *found["parameters"]):
        for language in ("en", "ru"):
            assert each["label"].get(language), (command, each["name"], language)
            assert each["help"].get(language), (command, each["name"], language)


@pytest.mark.parametrize("language", ["en", "ru"])
def test_no_text_is_left_over(language):
    params = {name: {p.name for p in command.params} for name, command in parsers()}
    table = texts(language)
    for part, told in table.items():
        if part == "common":
            commands = (*OFFERED, "init")
            used = {n for name in commands for n in params[name] if n not in table.get(name, {})}
            assert set(told) <= used, set(told) - used
        else:
            assert set(told) <= params[part] | {"command"}, part


@pytest.mark.parametrize("command", OFFERED)
def test_what_forms_show_tells_its_progress(described, command):
    assert parameters_of(described, command)["told"]["choices"] == ["auto", "json"]
