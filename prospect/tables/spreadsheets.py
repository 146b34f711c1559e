"""Spreadsheets come in, as rows of text: no more of them than their size allows for."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openpyxl
from openpyxl.cell.cell import ERROR_CODES

from prospect.errors import LayerError
from prospect.limits import SHEET, TABLE_CELLS
from prospect.raster.opening import one_line

MAX_ROWS = 2**20
"""Rows that a sheet can have in any program."""

MAX_RATIO = 200
"""Largest compression of a member; sheets of surveys come to between 5 and 30."""

SMALL = 2**22
"""Members that unpack to less may be compressed as they like."""

Rows = list[list[str]]


def read_sheets(path: Path, sheet: str | None = None) -> tuple[dict[str, Rows], int]:
    """
    The cells of a spreadsheet's sheets, as they are written there.

    Parameters
    ----------
    path : Path
        An XLSX file.
    sheet : str, optional
        The only one to read.

    Returns
    -------
    sheets : dict of str to list of list of str
        Rows of one length each sheet; empty cells, and those with an error, are empty texts.
    count : int
        How many sheets there are.

    Raises
    ------
    LayerError
        If it is no spreadsheet, has no such sheet, or would exhaust memory.
    """
    try:
        _require_honest(path)
        book = openpyxl.load_workbook(path, read_only=True, data_only=True, keep_links=False)
        try:
            tables = {str(table.title): table for table in book.worksheets}
            if sheet is not None and sheet not in tables:
                raise LayerError(f"{path} has no sheet '{sheet}'; it has: {', '.join(tables)}.")
            names = [sheet] if sheet is not None else list(tables)
            return {name: _cells(path, tables[name]) for name in names}, len(tables)
        finally:
            book.close()
    except LayerError:
        raise
    except Exception as error:  # a foreign parser of foreign text fails in many ways
        raise LayerError(
            f"{path} is not a spreadsheet ({one_line(error)}): save it as XLSX or CSV."
        ) from error


def _require_honest(path: Path) -> None:
    """Refuse what would unpack to more than memory should hold, or declares entities."""
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        total = sum(item.file_size for item in members)
        if total > SHEET.value:
            raise LayerError(f"{path} would unpack to {SHEET.refusal(total)}, or export it as CSV.")
        for item in members:
            if item.file_size > max(SMALL, MAX_RATIO * item.compress_size):
                raise LayerError(
                    f"{path} would unpack to {item.file_size / max(1, item.compress_size):.0f} "
                    f"times its size, more than the {MAX_RATIO} that are accepted: export it "
                    "as CSV."
                )
            if item.filename.lower().endswith((".xml", ".rels")) and _declares(archive, item):
                raise LayerError(
                    f"{path} declares entities, which no spreadsheet does: export it as CSV."
                )


def _declares(archive: zipfile.ZipFile, item: zipfile.ZipInfo) -> bool:
    """Whether a member has a document type, in any encoding of two bytes or one."""
    tail = b""
    with archive.open(item) as member:
        while chunk := member.read(2**20):
            text = tail + chunk.replace(b"\0", b"")
            if b"<!DOCTYPE" in text or b"<!ENTITY" in text:
                return True
            tail = text[-16:]
    return False


def _cells(path: Path, table: Any) -> Rows:
    """The rows of a sheet up to its last text, all of one length."""
    rows: Rows = []
    nothing: list[str] = []
    width = last = 0
    # What a sheet says of its own size is often wrong.
    table.reset_dimensions()
    for number, row in enumerate(_rows(path, table), start=1):
        while row and not row[-1]:
            row.pop()
        rows.append(row or nothing)
        if row:
            last, width = number, max(width, len(row))
            if last * width > TABLE_CELLS.value:
                raise LayerError(
                    f"{path} has a sheet '{table.title}' of {TABLE_CELLS.refusal(last * width)}, "
                    "or export what is needed of it as CSV."
                )
    return [row + [""] * (width - len(row)) for row in rows[:last]]


def _rows(path: Path, table: Any) -> Iterator[list[str]]:
    for number, row in enumerate(table.iter_rows(values_only=True), start=1):
        if number > MAX_ROWS:
            raise LayerError(
                f"{path} has a sheet '{table.title}' of more than {MAX_ROWS} rows, which no "
                "program writes: export it as CSV."
            )
        yield [_as_text(value) for value in row]


def _as_text(value: object) -> str:
    """A cell of a spreadsheet as it is written there."""
    if value is None or value != value or value in ERROR_CODES:
        return ""
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return str(value)
