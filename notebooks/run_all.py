"""Run every notebook, in order, in a folder of its own; fail where one fails."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient

HERE = Path(__file__).resolve().parent


def main() -> int:
    for path in sorted(HERE.glob("[0-9]*.ipynb")):
        notebook = nbformat.read(path, as_version=4)
        if any(cell.get("outputs") for cell in notebook.cells):
            print(f"{path.name}: outputs are kept out of the repository")
            return 1
        with tempfile.TemporaryDirectory() as folder:
            NotebookClient(
                notebook, timeout=600, resources={"metadata": {"path": folder}}
            ).execute()
        print(f"{path.name}: ran")
    return 0


if __name__ == "__main__":
    sys.exit(main())
