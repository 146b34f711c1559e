"""Pack the plugin for QGIS: ``python tools/make_qgis_plugin.py`` writes dist/prospect_qgis.zip.

The zip installs from file. It holds the description of the commands as they are here, so that
forms show before prospect is set up. The same sources give the same bytes.
"""

from __future__ import annotations

import json
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from prospect import __version__  # noqa: E402
from prospect.cli import main  # noqa: E402
from prospect.cli.description import description  # noqa: E402

NAME = "prospect_qgis"
SOURCE = ROOT / "plugins" / "qgis" / NAME
SUFFIXES = (".py", ".json", ".svg", ".txt")
LONG_AGO = (1980, 1, 1, 0, 0, 0)


def contents() -> dict[str, bytes]:
    """Files of the zip by name."""
    files = {
        path.relative_to(SOURCE.parent).as_posix(): path.read_bytes()
        for path in sorted(SOURCE.rglob("*"))
        if path.suffix in SUFFIXES and "__pycache__" not in path.parts
    }
    metadata = f"{NAME}/metadata.txt"
    files[metadata] = files[metadata].replace(b"@VERSION@", __version__.encode())
    files[f"{NAME}/LICENSE"] = (ROOT / "LICENSE").read_bytes()
    told = json.dumps(description(main), indent=1)
    files[f"{NAME}/description.json"] = told.encode()
    return files


def pack(path: Path) -> Path:
    """Write the zip."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in sorted(contents().items()):
            entry = zipfile.ZipInfo(name, LONG_AGO)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            entry.create_system = 3
            archive.writestr(entry, content)
    return path


if __name__ == "__main__":
    print(pack(ROOT / "dist" / f"{NAME}.zip"))  # noqa: T201
