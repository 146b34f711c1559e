"""The parts of the plugin for QGIS that need no QGIS, and its zip."""

import configparser
import json
import os
import signal
import subprocess
import sys
import threading
import time
import xml.etree.ElementTree as ET
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
sys.path.append(str(ROOT / "plugins" / "qgis"))

from prospect_qgis import description, environment, making, process, words  # noqa: E402
from prospect_qgis.texts import Texts  # noqa: E402

from prospect import __version__  # noqa: E402
from prospect.cli import main  # noqa: E402
from prospect.cli.description import SCHEMA  # noqa: E402
from prospect.cli.description import description as described  # noqa: E402

EN, RU = Texts("en_GB"), Texts("ru_RU")


@pytest.fixture(scope="module")
def commands():
    return {command["name"]: command for command in described(main)["commands"]}


@pytest.fixture(scope="module")
def zips(tmp_path_factory):
    """The plugin packed twice, by the one command."""
    made = []
    for _ in range(2):
        tool = ROOT / "tools" / "make_qgis_plugin.py"
        done = subprocess.run([sys.executable, tool], capture_output=True, text=True, check=True)
        made.append(Path(done.stdout.strip()).read_bytes())
    path = tmp_path_factory.mktemp("zip") / "prospect_qgis.zip"
    path.write_bytes(made[0])
    return path, made


def program(path, code):
    """A program of a few lines."""
    path.write_text(f"#!{sys.executable}\n{code}\n", encoding="utf-8")
    path.chmod(0o755)
    return path


# The zip


def test_the_same_sources_give_the_same_zip(zips):
    assert zips[1][0] == zips[1][1]


def test_the_zip_is_laid_out_as_qgis_wants(zips):
    with zipfile.ZipFile(zips[0]) as archive:
        names = archive.namelist()
        assert {name.split("/")[0] for name in names} == {"prospect_qgis"}
        assert not [n for n in names if n.endswith((".pyc", ".so", ".pyd", ".dll"))]
        about = configparser.ConfigParser()
        about.read_string(archive.read("prospect_qgis/metadata.txt").decode())
        told = json.loads(archive.read("prospect_qgis/description.json"))
        ET.fromstring(archive.read("prospect_qgis/icon.svg"))
    general = about["general"]
    assert general["version"] == __version__ == told["prospect"]
    assert general["qgisMinimumVersion"] == "3.22"
    assert general["hasProcessingProvider"] == "yes"
    assert f"prospect_qgis/{general['icon']}" in names
    for key in ("name", "description", "about", "author", "email"):
        assert general[key]
    assert "prospect_qgis/LICENSE" in names
    assert told == json.loads(json.dumps(described(main)))


def test_every_module_can_be_read_by_python_3_9():
    import ast

    for path in (ROOT / "plugins").rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        tree = ast.parse(text, feature_version=(3, 9))
        assert ast.get_docstring(tree).splitlines()[0].endswith("."), path
        assert len(text.splitlines()) < 300, path


def test_the_plugin_understands_the_form_that_is_told():
    assert description.SCHEMA == SCHEMA


def test_the_plugin_spells_no_option(commands):
    flags = {flag for c in commands.values() for p in c["parameters"] for flag in p["flags"]}
    flags = {flag for flag in flags if flag.startswith("--")}
    code = "".join(p.read_text("utf-8") for p in (ROOT / "plugins").rglob("*.py"))
    assert len(flags) > 50 and not {flag for flag in flags if f'"{flag}' in code}


# Texts


def test_all_texts_are_there_in_both_languages():
    table = json.loads((ROOT / "plugins/qgis/prospect_qgis/texts.json").read_text("utf-8"))
    for key, told in table["texts"].items():
        assert set(told) == {"en", "ru"} and all(told.values()), key
    code = "".join(p.read_text("utf-8") for p in (ROOT / "plugins").rglob("*.py"))
    by_name = ("band_", "loaded_")
    for key in table["texts"]:
        assert f'"{key}"' in code or key.startswith(by_name), f"{key} is said nowhere"


def test_legends_are_told_in_russian():
    assert EN.legend("top 1–2 %") == "top 1–2 %"
    assert RU.legend("top 1–2 %") == "лучшие 1–2 %"
    assert RU.legend("down by more than 20 %") == "ниже более чем на 20 %"
    assert RU.legend("outside experience") == "вне опыта модели"
    assert RU.legend("lithology, Au assays and As assays") == "lithology, Au assays and As assays"
    from prospect.styles import TARGET_LINES, change_labels, share_labels

    for label in (*share_labels(), *change_labels(), *TARGET_LINES):
        assert RU.legend(label) != label


# The environment


def test_nothing_of_qgis_reaches_the_program():
    qgis = {
        "PYTHONHOME": "/q", "PYTHONPATH": "/q", "GDAL_DATA": "/q", "GDAL_DRIVER_PATH": "/q",
        "PROJ_LIB": "/q", "PROJ_DATA": "/q", "LD_LIBRARY_PATH": "/q", "QGIS_PREFIX_PATH": "/q",
        "VIRTUAL_ENV": "/q", "DYLD_LIBRARY_PATH": "/q", "OSGEO4W_ROOT": "/q", "Gdal_Data": "/q",
    }  # fmt: skip
    path = os.pathsep.join(["/q/bin", "/q/apps/qgis", "/usr/bin", "/qt/bin"])
    own = {"HOME": "/h", "LANG": "ru_RU.UTF-8", "NUMBA_CACHE_DIR": "/c"}
    clean = environment.clean_environment({**qgis, **own, "PATH": path})
    assert "/q" not in clean.values()
    assert clean["PATH"] == os.pathsep.join(["/usr/bin", "/qt/bin"])
    assert {name: clean[name] for name in own} == own


def test_the_program_is_found_as_named_then_as_set_up_then_on_the_path(tmp_path):
    folder = tmp_path / "bin"
    folder.mkdir()
    on_path, own = program(folder / "prospect", ""), program(tmp_path / "own", "")
    environ = {"PATH": str(folder)}
    assert environment.find_command("/named/prospect", own, environ) == Path("/named/prospect")
    assert environment.find_command(" ", own, environ) == own
    assert environment.find_command("", tmp_path / "absent", environ) == on_path
    assert environment.find_command("", None, {"PATH": str(tmp_path / "none")}) is None


# The words of a command line


def test_values_become_the_words_that_the_parser_understands(commands):
    values = {
        "sources": ["/a/project"], "commodity": "gold", "folds": 7, "prior": 0.001,
        "positional_error": 300.0, "without": ["gravity", "a b"], "sidecars": True, "seed": 0,
        "area": None, "permissive": "lithology in (x)", "expected": "",
    }  # fmt: skip
    told = words.words_of(commands["train"], values)
    name, *rest = told
    context = main.commands[name].make_context(name, rest)
    given = {key: value for key, value in values.items() if value not in (None, "")}
    given |= {"sources": (Path("/a/project"),), "without": ("gravity", "a b")}
    assert {key: context.params[key] for key in given} == given
    assert "--seed=0" not in told, "defaults need no word"


def test_a_value_may_begin_with_a_dash_and_pairs_stay_together(commands):
    told = words.words_of(commands["add"], {"project": "/p", "file": "/f", "sign": "-"})
    assert main.commands["add"].make_context("add", told[1:]).params["sign"] == "-"
    values = {"first": "/a.tif", "second": "/b.tif", "models": ["/a.prospect", "/b.prospect"]}
    told = words.words_of(commands["compare"], values)
    params = main.commands["compare"].make_context("compare", told[1:]).params
    assert params["models"] == (Path("/a.prospect"), Path("/b.prospect"))
    assert params["first"] == Path("/a.tif")
    with pytest.raises(KeyError, match="nonsense"):
        words.words_of(commands["compare"], {"nonsense": 1})


def test_progress_and_errors_are_told_apart():
    event = words.event_of('{"event": "progress", "title": "t", "done": 5, "total": 20}')
    assert words.percent(event) == 25
    assert words.percent({"event": "progress", "done": 5, "total": 0}) == 0
    assert words.event_of("{not json") is None and words.event_of("A line.") is None
    lines = ["Usage: prospect", "Error: There is no file x:", "  check the path."]
    assert words.sentence_of(lines) == "There is no file x: check the path."
    assert words.sentence_of(["Traceback"]) == ""


# The process


def test_lines_come_as_they_are_said_and_the_code_at_the_end(tmp_path):
    code = "import sys; print('один'); print('two', file=sys.stderr); raise SystemExit(3)"
    out, err = [], []
    told = environment.clean_environment(os.environ)
    words_ = [sys.executable, "-c", code]
    assert process.run(words_, folder=tmp_path, environ=told, out=out.append, err=err.append) == 3
    assert (out, err) == (["один"], ["two"])


def test_stopping_ends_the_program_and_what_it_started(tmp_path):
    code = (
        "import subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        "print(child.pid, flush=True); time.sleep(60)"
    )
    heard, asked = [], threading.Event()

    def hear(line):
        heard.append(int(line))
        asked.set()

    begin = time.monotonic()
    code = process.run(
        [sys.executable, "-c", code],
        folder=tmp_path,
        environ=dict(os.environ),
        out=hear,
        err=print,
        stopped=asked.is_set,
    )
    assert code == -signal.SIGTERM and time.monotonic() - begin < 5
    for _ in range(50):
        if not alive(heard[0]):
            break
        time.sleep(0.1)
    assert not alive(heard[0])


def alive(pid):
    """Whether a process runs; one that ended and that nobody has asked about does not."""
    stat = Path(f"/proc/{pid}/stat")
    try:
        return stat.read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def test_one_that_will_not_end_is_ended(tmp_path, monkeypatch):
    monkeypatch.setattr(process, "PATIENCE", 0.3)
    code = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
        "print(1, flush=True); time.sleep(60)"
    )
    asked = threading.Event()
    ended = process.run(
        [sys.executable, "-c", code],
        folder=tmp_path,
        environ=dict(os.environ),
        out=lambda line: asked.set(),
        err=print,
        stopped=asked.is_set,
    )
    assert ended == -signal.SIGKILL


# The description


def answering(path, answer):
    return program(path, f"print({json.dumps(answer)!r})")


def test_a_program_is_asked_once_until_it_changes(tmp_path):
    told = {"schema": description.SCHEMA, "prospect": "1", "commands": []}
    command, kept = answering(tmp_path / "prospect", told), tmp_path / "deep" / "kept.json"
    asked = []

    def ask():
        asked.append(1)
        return description.ask(command, dict(os.environ), EN)

    for _ in range(2):
        assert description.remembered(command, kept, ask) == told
    assert len(asked) == 1
    answering(command, {**told, "prospect": "2 and longer"})
    assert description.remembered(command, kept, ask)["prospect"] == "2 and longer"
    kept.write_text("broken")
    assert description.remembered(command, kept, ask)["prospect"] == "2 and longer"


def test_versions_that_do_not_fit_are_said(tmp_path):
    environ = dict(os.environ)
    newer = answering(tmp_path / "newer", {"schema": 99, "prospect": "9.0", "commands": []})
    with pytest.raises(description.CommandError, match=r"prospect 9\.0 .*form 99.*form 1"):
        description.ask(newer, environ, EN)
    with pytest.raises(description.CommandError, match=r"схеме 99"):
        description.ask(newer, environ, RU)
    older = program(tmp_path / "older", "import sys; sys.exit('Error: No such option: --describe')")
    with pytest.raises(description.CommandError, match=r"older than this plugin .*No such option"):
        description.ask(older, environ, EN)
    with pytest.raises(description.CommandError, match=r"cannot be started .*No such file"):
        description.ask(tmp_path / "absent", environ, EN)


# Set up


def test_the_name_alone_is_never_asked_for_on_an_index(tmp_path):
    (tmp_path / "prospect-0.1.0-py3-none-any.whl").touch()
    wheels = str(tmp_path)
    offline = ["--no-index", "--find-links", wheels]
    assert making.what_to_install(wheels, "", EN) == [*offline, "prospect"]
    assert making.what_to_install(wheels, "/copy", EN) == [*offline, "/copy"]
    assert making.what_to_install("", "/copy", EN) == ["/copy"]
    with pytest.raises(description.CommandError, match="nothing to install from"):
        making.what_to_install("", "", EN)
    (tmp_path / "prospect-0.1.0-py3-none-any.whl").rename(tmp_path / "prospector-1-py3.whl")
    with pytest.raises(description.CommandError, match="no wheel of prospect"):
        making.what_to_install(wheels, "", EN)


def test_an_old_python_is_refused(tmp_path):
    environ = dict(os.environ)
    old = program(tmp_path / "python3", "raise SystemExit(1)")
    with pytest.raises(description.CommandError, match=r"Python 3\.11 or later"):
        making.find_python(str(old), environ, EN)
    with pytest.raises(description.CommandError, match=str(old)):
        making.find_python("", {"PATH": str(tmp_path)}, EN)
    assert making.find_python(sys.executable, environ, EN) == Path(sys.executable)


def test_a_failed_step_leaves_what_was_there(tmp_path):
    before = tmp_path / "venv-3" / "bin"
    before.mkdir(parents=True)
    command = program(before / "prospect", "")
    fail = lambda title, words: "the disk is full"  # noqa: E731
    with pytest.raises(description.CommandError, match="the disk is full"):
        making.make(tmp_path, Path(sys.executable), ["x"], dict(os.environ), EN, fail)
    assert making.environments(tmp_path) == [tmp_path / "venv-3"]
    assert making.own_command(tmp_path) == command


def test_a_step_that_works_takes_the_place_of_those_before(tmp_path):
    (tmp_path / "venv-9").mkdir()
    (tmp_path / "venv-10").mkdir()
    told = {"schema": description.SCHEMA, "prospect": "1", "commands": []}

    def step(title, words_):
        if "venv" in words_:
            (Path(words_[-1]) / "bin").mkdir(parents=True)
        else:
            answering(tmp_path / "venv-11" / "bin" / "prospect", told)
        return ""

    environ = dict(os.environ)
    command, found = making.make(tmp_path, Path(sys.executable), ["x"], environ, EN, step)
    assert (command, found) == (tmp_path / "venv-11" / "bin" / "prospect", told)
    assert making.environments(tmp_path) == [tmp_path / "venv-11"]
