"""What was found, written into a folder: a page for people and its figures."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from prospect.errors import OutputError

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def write_page(
    folder: Path | str, name: str, texts: Mapping[str, str], figures: Mapping[str, Figure]
) -> list[Path]:
    """
    Write texts and figures into a folder.

    Parameters
    ----------
    folder : path
        Made when it is not there; files of the same names are replaced.
    name : str
        What they are together, for the sentence when they cannot be written.
    texts : mapping of str to str
        By the name of their file; UTF-8, a line's end is added.
    figures : mapping of str to Figure
        By their name; each becomes a PNG.

    Returns
    -------
    list of Path
        Texts first, both in their order.

    Raises
    ------
    OutputError
        If the folder cannot be written to.
    """
    folder, written = Path(folder), []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for file, text in texts.items():
            written.append(folder / file)
            written[-1].write_text(text + "\n", encoding="utf-8", newline="\n")
        for each, figure in figures.items():
            written.append(folder / f"{each}.png")
            figure.savefig(written[-1])
    except OSError as error:
        raise OutputError(
            f"The {name} cannot be written to {folder} ({error.strerror})."
        ) from error
    return written
