"""Tables come in, as text: CSV of any delimiter and encoding, and spreadsheets; and go out."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pandas as pd

from prospect.errors import LayerError
from prospect.limits import TABLE, TABLE_CELLS
from prospect.raster import atomic_path, require_file
from prospect.raster.opening import one_line
from prospect.tables.columns import guess_columns
from prospect.tables.spreadsheets import Rows, read_sheets

TABLE_SUFFIXES = (".csv", ".txt", ".tsv", ".xlsx")

CYRILLIC = ("cp1251", "cp866", "koi8-r")
"""Eight-bit encodings of Russian texts, the likeliest first."""

MAX_LINE = 2**22
"""Longest line of a table, in bytes."""

MAX_COLUMNS = 16_384
"""Most columns of a table, as spreadsheets have it."""

_TITLES = 20
"""Rows of a sheet among which its header is looked for, below titles and remarks."""

_DELIMITERS = ";\t|,"
_WORD = re.compile("[а-яёА-ЯЁ]+")
_ASCII = re.compile(r"[\x00-\x7f]+")
_KNOWN = frozenset(
    "абвгдежзийклмнопрстуфхцчшщъыьэюяёАБВГДЕЖЗИЙКЛМНОПРСТУФХЦЧШЩЪЫЬЭЮЯЁ№«»–—…°§·±×\u2212\xa0"
)
_BOMS = (
    (b"\xef\xbb\xbf", "utf-8-sig"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)


def read_table(
    path: Path | str, *, encoding: str | None = None, sheet: str | None = None
) -> pd.DataFrame:
    """
    Read a table as text.

    Parameters
    ----------
    path : path
        CSV with ``;``, tab, ``|`` or ``,`` between fields, or XLSX.
    encoding : str, optional
        Of a CSV; by default found: a byte-order mark, UTF-8, UTF-16, or the Russian
        encoding whose letters look most like words.
    sheet : str, optional
        Of a spreadsheet; by default the one whose header tells coordinates, or else the
        fullest.

    Returns
    -------
    DataFrame of str
        Column names without spaces around them. ``attrs["read_as"]`` says how it was read.

    Raises
    ------
    LayerError
        If there is no table in the file.
    """
    path = require_file(path)
    if path.suffix.lower() == ".xlsx":
        table = _read_sheet(path, sheet)
    else:
        table = _read_text(path, encoding)
    table.columns = pd.Index([str(name).strip() for name in table.columns])
    twice = table.columns[table.columns.duplicated()]
    if len(twice):
        raise LayerError(f"{path} has two columns named '{twice[0]}': rename one.")
    return table


def write_table(table: pd.DataFrame, path: Path | str) -> None:
    """
    Write a table as CSV that spreadsheets open with its letters right.

    Raises
    ------
    OutputError
        If the folder cannot be written.
    """
    with atomic_path(path) as temporary:
        table.to_csv(temporary, index=False, encoding="utf-8-sig", lineterminator="\n")


def guess_encoding(data: bytes) -> str:
    """
    The encoding of a text.

    Parameters
    ----------
    data : bytes

    Returns
    -------
    str
        A byte-order mark decides; then UTF-8 if it fits; then zeros at every other place
        (UTF-16); then, of the Russian encodings, the one whose letters look most like
        words: many small letters, few signs that no table holds.
    """
    for mark, name in _BOMS:
        if data.startswith(mark):
            return name
    sample = data[: 2**20]
    if b"\0" in sample:
        even, odd = sample[::2].count(0), sample[1::2].count(0)
        half = max(1, len(sample) // 2)
        # Between a quarter and all: Cyrillic letters have a 4 there, digits and spaces a 0.
        if odd > half / 4 and even < half / 100:
            return "utf-16-le"
        if even > half / 4 and odd < half / 100:
            return "utf-16-be"
    try:
        # A sample may end inside a letter.
        sample.decode("utf-8") if len(sample) == len(data) else sample[:-4].decode("utf-8")
        return "utf-8"
    except UnicodeDecodeError as error:
        if len(sample) < len(data) and error.start > len(sample) - 8:
            return "utf-8"
    return max(CYRILLIC, key=lambda name: _likeness(sample, name))


def _likeness(sample: bytes, encoding: str) -> float:
    """How much the bytes beyond ASCII of a text look like Russian words."""
    text = _ASCII.sub(" ", sample.decode(encoding, errors="replace"))
    strange = sum(not letter.isspace() and letter not in _KNOWN for letter in text)
    # One letter alone tells nothing: its other case is as good a letter elsewhere.
    words = [word for word in _WORD.findall(text) if len(word) > 1]
    usual = sum(len(word) for word in words if word[1:].islower())
    capitals = sum(len(word) for word in words if word.isupper())
    mixed = sum(len(word) for word in words) - usual - capitals
    return usual + 0.5 * capitals - mixed - 2.0 * strange


def _read_text(path: Path, encoding: str | None) -> pd.DataFrame:
    data = _read_bytes(path)
    named, encoding = encoding, encoding or guess_encoding(data)
    if b"\0" in data and not encoding.lower().startswith("utf-16"):
        raise LayerError(f"{path} is not a text but a binary file: export it as CSV, in UTF-8.")
    try:
        text = data.decode(encoding, errors="strict" if named else "replace")
    except (UnicodeDecodeError, LookupError) as error:
        raise LayerError(
            f"{path} cannot be read as {encoding} ({one_line(error)}): name another encoding, "
            "such as cp1251 or cp866, or save it in UTF-8."
        ) from error
    # The header tells; in the rows below, commas may be decimal.
    header = text.lstrip()[:MAX_LINE].split("\n", 1)[0]
    delimiter = max(_DELIMITERS, key=header.count)
    _require_shape(path, text, header.count(delimiter) + 1, delimiter)
    try:
        table = pd.read_csv(io.StringIO(text), sep=delimiter, dtype=str, keep_default_na=False)
    except (pd.errors.ParserError, pd.errors.EmptyDataError, ValueError) as error:
        raise LayerError(f"{path} is not a table ({one_line(error)}): export it as CSV.") from error
    if not isinstance(table.index, pd.RangeIndex):
        raise LayerError(
            f"{path} has rows with more fields than the {len(table.columns)} of its header: "
            "name every column, and quote fields that hold the delimiter."
        )
    shown = {"\t": "tabs"}.get(delimiter, f"'{delimiter}'")
    table.attrs["read_as"] = f"{encoding.upper()}, fields parted by {shown}"
    return table.fillna("")


def _read_bytes(path: Path) -> bytes:
    """A text that memory can hold several times over."""
    if not path.is_file():
        raise LayerError(f"{path} is a folder, but a table was expected.")
    size = path.stat().st_size
    if size > TABLE.value:
        raise LayerError(f"{path} holds {TABLE.refusal(size)}, or cut it into parts.")
    return path.read_bytes()


def _require_shape(path: Path, text: str, columns: int, delimiter: str) -> None:
    """Refuse lines and numbers of cells that no table has, before they are taken apart."""
    start = 0
    while len(text) - start > MAX_LINE:
        # The last end of a line within reach; none there is a line too long.
        end = max(text.rfind(mark, start, start + MAX_LINE) for mark in "\r\n")
        if end < start:
            raise LayerError(
                f"{path} has a line of more than {MAX_LINE >> 20} MB, which no table has: export "
                "it as CSV."
            )
        start = end + 1
    if columns > MAX_COLUMNS:
        raise LayerError(
            f"{path} has a header of {columns} columns, but {MAX_COLUMNS} at most were expected: "
            "export those that are needed."
        )
    cells = max(columns * text.count("\n"), text.count(delimiter))
    if cells > TABLE_CELLS.value:
        raise LayerError(
            f"{path} holds {TABLE_CELLS.refusal(cells)}, or export what is needed of it."
        )


def _read_sheet(path: Path, sheet: str | None) -> pd.DataFrame:
    tables, count = read_sheets(path, sheet)
    name, top = max(
        ((name, row) for name, rows in tables.items() for row in range(min(_TITLES, len(rows)))),
        key=lambda place: _as_header(tables[place[0]], place[1]),
        default=("", 0),
    )
    if not name or len(tables[name]) <= top + 1:
        raise LayerError(f"{path} holds no table: a header and rows were expected.")
    rows = tables[name]
    header = [text.strip() or f"column {i + 1}" for i, text in enumerate(rows[top])]
    table = pd.DataFrame(rows[top + 1 :], columns=pd.Index(header), dtype=object)
    others = f", of {count}" if count > 1 else ""
    below = f", its header in row {top + 1}" if top else ""
    table.attrs["read_as"] = f"sheet '{name}'{others}{below}"
    return table


def _as_header(rows: Rows, row: int) -> tuple[bool, int, int]:
    """How well a row of a sheet serves as its header: coordinates, filled cells, rows below."""
    columns = guess_columns(rows[row])
    filled = sum(bool(text) for text in rows[row])
    return columns.x is not None and columns.y is not None, filled, len(rows) - row
