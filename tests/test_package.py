"""The package as a whole: what it exports, and what the README promises."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

import prospect

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("name", prospect.__all__)
def test_public_names_load(name):
    assert getattr(prospect, name) is not None
    assert name in dir(prospect)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'prospects'"):
        _ = prospect.prospects


def test_importing_is_light():
    heavy = ("xarray", "sklearn", "numba", "matplotlib")
    code = f"import sys, prospect; print([m for m in {heavy} if m in sys.modules])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


def test_matplotlib_waits_until_a_figure_is_drawn():
    code = "import sys, prospect.validation, prospect.plots; print('matplotlib' in sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "False"


def test_numba_waits_until_a_kernel_is_needed():
    code = "import sys, prospect.features, prospect.scoring; print('numba' in sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "False"


def test_the_readme_has_its_two_commands_in_one_line_each():
    text = (ROOT / "README.md").read_text("utf-8")
    for name in ("demo", "test"):
        block = re.search(rf"<!-- command: {name} -->\n```sh\n(.*?)```", text, re.DOTALL)
        assert block
        assert block[1].strip().count("\n") == 0
        assert block[1].startswith("python3 -m venv")


def test_the_readmes_python_runs(region_folder, tmp_path, monkeypatch):
    text = (ROOT / "README.md").read_text("utf-8")
    code = re.search(r"```python\n(.*?)```", text, re.DOTALL)[1]
    monkeypatch.chdir(tmp_path)
    (tmp_path / "prospect-demo").mkdir()
    (tmp_path / "prospect-demo" / "region").symlink_to(region_folder)
    monkeypatch.setattr("prospect.learners.DRAWS", 5)
    names = {}
    exec(compile(code, "README.md", "exec"), names)
    assert names["likelihood"].shape == (80, 100)
    assert (tmp_path / "gold.prospect").exists()


def test_every_module_says_its_job_in_one_line():
    for path in (ROOT / "prospect").rglob("*.py"):
        first = path.read_text("utf-8").lstrip().splitlines()[0]
        assert first.startswith('"""'), path
