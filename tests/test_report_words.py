"""No sentence of the program is left in English on a Russian page."""

import ast
import re
from pathlib import Path

import pytest

import prospect
from prospect.applicability import CLASSES
from prospect.commodities import commodity_names, load_commodity
from prospect.evidence import evidence_groups
from prospect.report import write_report
from prospect.report.language import load_language, translated
from prospect.scoring import score
from prospect.stack import open_stack
from prospect.targets import find_targets

ROOT = Path(prospect.__file__).parent
RUSSIAN = load_language("ru")

NOTES = (
    "occurrences.py",
    "labels.py",
    "coordinates.py",
    "features/fitting.py",
    "features/builder.py",
    "own.py",
)
"""Modules that append to the notes of a run, or return one."""

CODE = {"learner", "fuzzy", "type", "quantile_rank", "share_above"}
"""What is typed, and so is Latin in any language."""


def rendered(node):
    """The text of a string, of pieces of strings, or nothing; every value in it is 7."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else None
    if isinstance(node, ast.JoinedStr):
        return "".join(
            part.value if isinstance(part, ast.Constant) else value(part) for part in node.values
        )
    return None


def value(part):
    if "operation_between" in ast.unparse(part):
        return "brought from 7 to 7 (7; accuracy 7 m)"
    return "7"


def sentences():
    """Every note and alarm that the source can make."""
    for name in NOTES:
        for node in ast.walk(ast.parse((ROOT / name).read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "notes.append":
                yield "notes", rendered(node.args[0])
            elif isinstance(node, ast.Assign) and ast.unparse(node.targets[0]).startswith(
                "refused["
            ):
                yield "notes", rendered(node.value)
    for name, within in (
        ("own.py", "_too_fine"),
        ("training.py", "_same_everywhere"),
        ("detectability.py", "chance_of"),
        ("detectability.py", "summary"),
    ):
        for node in ast.walk(ast.parse((ROOT / name).read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef) and node.name == within:
                yield from (("notes", text) for text in long_strings(node.body))
    for path in (ROOT / "features").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "EvidenceError":
                yield "notes", rendered(node.args[0])
    path = ROOT / "validation" / "alarms.py"
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.JoinedStr) and "alarm from" in rendered(node):
            yield "alarms", rendered(node)


def long_strings(body):
    """What a function returns or keeps, errors and its docstring aside."""
    passed_over = {
        id(inner)
        for node in body
        for outer in ast.walk(node)
        if isinstance(outer, (ast.Raise, ast.JoinedStr))
        for inner in ast.walk(outer)
        if inner is not outer
    }
    for node in body[1:]:
        for inner in ast.walk(node):
            text = None if id(inner) in passed_over else rendered(inner)
            if text and len(text) > 30:
                yield text


SENTENCES = sorted({(section, text) for section, text in sentences() if text})


def test_the_sentences_are_found():
    told = {section: sum(s == section for s, _ in SENTENCES) for section in ("notes", "alarms")}
    assert told["notes"] > 25
    assert told["alarms"] == 5


@pytest.mark.parametrize(("section", "text"), SENTENCES)
def test_every_sentence_has_its_translation(section, text):
    told = RUSSIAN.phrase(text, section)
    left = set(re.findall("[a-z_]{3,}", told)) - CODE
    assert told != text
    assert not left, told


def test_titles_models_and_classes_are_translated():
    for name in commodity_names():
        for each in (
            load_commodity(name),
            *(load_commodity(t.name) for t in load_commodity(name).types),
        ):
            assert each.name in RUSSIAN.words["titles"]
            assert RUSSIAN.phrase(each.model, "deposit_models") != each.model
    for label in CLASSES:
        assert RUSSIAN.phrase(label, "applicability") != label


def test_values_in_a_sentence_are_translated_too():
    told = RUSSIAN.phrase(
        "'a' is left out: Ranks need values, but the layer has gaps only.", "notes"
    )
    assert told == "«a» исключён: Для рангов нужны значения, а в слое только пробелы."
    told = RUSSIAN.phrase("Sb assays; faults and lithology (1:200,000, 1986)", "evidence_names")
    assert told == "анализы Sb; разломы и литология (1:200,000, 1986)"
    assert RUSSIAN.phrase("my own thing", "evidence_names") == "my own thing"
    assert translated("a b", {"{x} b": "{x} c"}) == "a c"


def test_no_english_is_left_on_the_page(gold_model, world, tmp_path):
    stack = open_stack(world)
    path = score(gold_model, stack, tmp_path / "gold.tif", workers=2)
    page = write_report(
        tmp_path / "gold.html",
        path,
        gold_model,
        world,
        targets=find_targets(path, gold_model, area=0.1),
        language="ru",
    ).read_text(encoding="utf-8")
    text = re.sub("<(script|style).*?</\\1>", " ", page, flags=re.DOTALL)
    text = re.sub("<[^>]*>", " ", text)
    names = {
        *gold_model.feature_names,
        *gold_model.builder.layers_,
        *gold_model.record["missing_rows"],
        *gold_model.record["versions"],
        *(told["file"] for told in gold_model.record["inputs"].values()),
        *(f"au_{kind}" for kind in ("orogenic", "irgs", "porphyry", "epithermal")),
        *("prospect", "targets", "validate", "score", "bands", "all", "gold.tif"),
        *(
            "Tab",
            "Enter",
            "Leaflet",
            "Volodymyr Agafonkin",
            "BSD-2-Clause",
            "occurrences.csv",
            "JavaScript",
        ),
    }
    for name in sorted(names, key=len, reverse=True):
        text = text.replace(name, " ")
    text = re.sub("[0-9a-f]{64}", " ", text)
    assert set(re.findall("[A-Za-z]{3,}", text)) <= {"AUC", "SHA", "EPSG", "USGS", "UTF", "JORC"}


def test_evidence_of_every_model_has_a_name(gold_model):
    for name in evidence_groups(gold_model.builder).names:
        assert not re.search("[a-z]{3,}", RUSSIAN.phrase(name, "evidence_names")), name
