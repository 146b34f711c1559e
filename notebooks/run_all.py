"""Run every notebook, in order, in a folder of its own; fail where one fails.

``--keep FOLDER`` keeps what they showed, for the documents.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient

HERE = Path(__file__).resolve().parent


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("only", nargs="*", help="numbers such as 02; by default all")
    parser.add_argument("--keep", type=Path, help="folder for the notebooks with their outputs")
    given = parser.parse_args()
    for path in sorted(HERE.glob("[0-9]*.ipynb")):
        if given.only and path.name[:2] not in given.only:
            continue
        start = time.perf_counter()
        notebook = nbformat.read(path, as_version=4)
        if any(cell.get("outputs") for cell in notebook.cells):
            print(f"{path.name}: outputs are kept out of the repository")
            return 1
        with tempfile.TemporaryDirectory() as folder:
            NotebookClient(
                notebook, timeout=600, resources={"metadata": {"path": folder}}
            ).execute()
        if given.keep is not None:
            given.keep.mkdir(parents=True, exist_ok=True)
            nbformat.write(notebook, given.keep / path.name)
        print(f"{path.name}: ran in {time.perf_counter() - start:.0f} s", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
