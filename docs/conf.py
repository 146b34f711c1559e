"""Settings of the documents: ``sphinx-build -W -b html docs build/docs``."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
sys.path.insert(0, str(HERE.parent))

import pages  # noqa: E402

from prospect import __version__  # noqa: E402

project = "prospect"
author = "The prospect developers"
version = release = __version__
extensions = [
    "myst_nb",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
]
html_theme = "pydata_sphinx_theme"
html_title = "prospect"
html_theme_options = {
    "show_prev_next": True,
    "navigation_with_keys": False,
    "use_edit_page_button": False,
}
html_show_sourcelink = False
templates_path = ["_templates"]

# Notebooks are run by notebooks/run_all.py; what it kept of them is shown with its pictures.
nb_execution_mode = "off"
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

autosummary_generate = True
autodoc_typehints = "none"
numpydoc_show_class_members = False
numpydoc_class_members_toctree = False


def setup(app: object) -> None:
    """Make the pages that follow from the code."""
    for notebook in sorted((HERE.parent / "notebooks").glob("[0-9]*.ipynb")):
        run = HERE.parent / "build" / "notebooks" / notebook.name
        shutil.copyfile(run if run.is_file() else notebook, HERE / "tutorials" / notebook.name)
    pages.write_if_changed(HERE / "reference" / "commands.md", pages.commands())
    pages.write_if_changed(HERE / "reference" / "operations.rst", pages.operations())
