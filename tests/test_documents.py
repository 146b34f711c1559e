"""Documents: their command lines are understood, their code runs; notebooks keep no output."""

import json
import re
import shlex
import tomllib
from pathlib import Path

import click
import pytest

from prospect.cli import main
from prospect.commodities import load_commodity

ROOT = Path(__file__).parents[1]
WRITTEN = [ROOT / "README.md", ROOT / "README.ru.md", *sorted((ROOT / "docs").rglob("*.md"))]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("[0-9]*.ipynb"))
FENCED = re.compile(r"^ *```(\w+)\n(.*?)^ *```", re.M | re.S)


def blocks(path, *languages):
    text = path.read_text(encoding="utf-8")
    return [body for language, body in FENCED.findall(text) if language in languages]


def command_lines(path):
    """Every line of a shell block that starts with ``prospect``, without its comment."""
    for body in blocks(path, "sh", "bat"):
        for line in body.replace("\\\n", " ").splitlines():
            for part in line.split("&&"):
                words = shlex.split(part.replace("\\prospect", "/prospect"), comments=True)
                if words and words[0].rsplit("/", 1)[-1] == "prospect":
                    yield words[1:]


def understand(words):
    """Parse the words as the program would, without running anything."""
    group, name, context = main, "prospect", click.Context(main, info_name="prospect")
    while isinstance(group, click.Group):
        name, command, words = group.resolve_command(context, list(words))
        context = click.Context(command, info_name=name, parent=context)
        group = command
    command.make_context(name, list(words), parent=context.parent)


CASES = [
    pytest.param(words, id=f"{path.name}:{' '.join(words)[:70]}")
    for path in WRITTEN
    if path.name != "commands.md"
    for words in command_lines(path)
]


@pytest.mark.parametrize("words", CASES)
def test_commands_in_documents_are_understood(words):
    understand(words)


def mentions(path):
    """Commands with options that the running text names, such as ``train --area x.gpkg``."""
    for span in re.findall(r"(?<!`)`([^`\n]+)`(?!`)", path.read_text(encoding="utf-8")):
        words = span.removeprefix("prospect ").split()
        if words and words[0] in main.commands and any(word.startswith("--") for word in words):
            yield words


def test_options_named_in_the_text_exist():
    found = [(path.name, words) for path in WRITTEN for words in mentions(path)]
    assert len(found) > 15
    for name, (command, *words) in found:
        known = {option for p in main.commands[command].params for option in p.opts}
        unknown = {word for word in words if word.startswith("--")} - known
        assert not unknown, f"{name}: {command} has no {unknown}"


def test_commands_that_are_not_are_noticed():
    with pytest.raises(click.NoSuchOption, match="--commodty"):
        understand(["train", "lapland/", "--commodty", "gold"])
    with pytest.raises(click.UsageError, match="No such command"):
        understand(["trian", "lapland/"])
    with pytest.raises(click.BadParameter, match="deflat"):
        understand(["score", "gold.prospect", "x/", "-o", "a.tif", "--compress", "deflat"])


def test_there_are_commands_in_both_languages():
    for name in ("README.md", "README.ru.md"):
        used = {words[0] for words in command_lines(ROOT / name)}
        assert {"demo", "init", "inspect", "train", "validate", "score"} <= used, name
    assert len(CASES) > 60


def test_both_readmes_install_alike():
    first = [
        re.search(r"<!-- command: demo -->\n```sh\n(.*?)```", text, re.S).group(1)
        for text in ((ROOT / name).read_text("utf-8") for name in ("README.md", "README.ru.md"))
    ]
    assert first[0] == first[1]


def test_python_in_documents_can_be_compiled():
    found = [(path, body) for path in WRITTEN for body in blocks(path, "python")]
    assert found
    for path, body in found:
        compile(body, str(path), "exec")


def test_the_operation_of_the_documents_works(tmp_path):
    from prospect.features import operations
    from prospect.stack import open_stack

    (body,) = blocks(ROOT / "docs" / "howto" / "feature.md", "python")
    made = {}
    before = set(operations())
    exec(compile(body, "feature.md", "exec"), made)
    try:
        stack = open_stack(ROOT / "sample_data" / "region")
        steps = made["steepest_step"](stack["elevation"])
        assert 0 < float(steps.max()) < 3
    finally:
        from prospect.features import operation

        for name in set(operations()) - before:
            operation.__globals__["_REGISTRY"].pop(name)


def test_the_commodity_of_the_documents_is_one(tmp_path):
    (body,) = blocks(ROOT / "docs" / "howto" / "commodity.md", "toml")
    path = tmp_path / "tungsten.toml"
    path.write_text(body, encoding="utf-8")
    mine = load_commodity(path)
    assert mine.is_meant("вольфрамовое")
    assert [row.sign for row in mine.recipe.features] == ["+", "+", "0"]


def test_toml_in_documents_is_toml():
    for path in WRITTEN:
        for body in blocks(path, "toml"):
            tomllib.loads(body)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_notebooks_are_diffable_and_ask_questions(path):
    notebook = json.loads(path.read_text(encoding="utf-8"))
    assert notebook["nbformat"] == 4
    ids = [cell["id"] for cell in notebook["cells"]]
    assert ids == [f"cell-{number:02d}" for number in range(len(ids))]
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert all(not cell["outputs"] and cell["execution_count"] is None for cell in code)
    assert any("assert " in "".join(cell["source"]) for cell in code)
    assert "uestions" in "".join(notebook["cells"][-1]["source"])
    for cell in code:
        assert not re.search(r"prospect[\w.]*\._|_kernels", "".join(cell["source"])), "public only"
