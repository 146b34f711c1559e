"""What the vector files and tables of a folder are for: roles by geometry, attributes and names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from prospect.errors import ProspectError
from prospect.lexicon import named_commodities, read_age, says, structure_of
from prospect.project import OccurrenceSpec, VectorSpec
from prospect.tables import TABLE_SUFFIXES, Columns, guess_columns, read_table
from prospect.vector import Outline, outline

_FAULT_NAMES = ("fault", "разлом", "struct", "тектон", "lineament")
_ROCK_COLUMNS = ("lithology", "lith", "rock", "порода", "литология", "rocktype", "rock_type")
_AGE_COLUMNS = ("age", "index", "возраст", "индекс", "stratigraphy", "era", "label")
_UNDERSTOOD = 0.5
"""Share of rows that an attribute must say something known in, to be taken."""

MAX_CLASSES = 254


@dataclass(frozen=True)
class VectorSurvey:
    """
    What was found beside the rasters.

    Attributes
    ----------
    vectors : tuple of VectorSpec
    occurrences : OccurrenceSpec or None
        The first file of points that names commodities.
    notes : tuple of str
        What was understood, guessed and left out.
    """

    vectors: tuple[VectorSpec, ...] = ()
    occurrences: OccurrenceSpec | None = None
    notes: tuple[str, ...] = field(default=())


def survey_vectors(paths: Iterable[Path]) -> VectorSurvey:
    """
    Guess what vector files and tables are for.

    Lines become faults and folds, by the attribute that names their kind where there is
    one, misspellings included; polygons become lithology or age by the attribute that
    names them; points and tables with a commodity become the occurrences.

    Parameters
    ----------
    paths : iterable of path
        Vector files, CSV and XLSX.

    Returns
    -------
    VectorSurvey
        A file that cannot be read, or is for nothing that is known, is named in the notes.
    """
    vectors: list[VectorSpec] = []
    found: list[VectorSpec]
    notes: list[str] = []
    known: OccurrenceSpec | None = None
    for path in paths:
        try:
            if path.suffix.lower() in TABLE_SUFFIXES:
                found = []
                spec, told = _table(path)
            else:
                found, spec, told = _vector(path)
        except ProspectError as error:
            notes.append(str(error))
            continue
        vectors += found
        notes += told
        if spec is not None and known is None:
            known = spec
        elif spec is not None:
            notes.append(f"{path.name}: occurrences as well; {known and known.path.name} is taken")
    return VectorSurvey(_uniquely_named(vectors), known, tuple(notes))


def _table(path: Path) -> tuple[OccurrenceSpec | None, list[str]]:
    """A table's occurrences, if it has coordinates and commodities."""
    try:
        table = read_table(path)
    except ProspectError:
        if path.suffix.lower() != ".txt":
            raise
        return None, []  # a text that is no table
    columns = guess_columns(table.columns)
    if path.suffix.lower() == ".txt" and columns == Columns():
        return None, []
    told = [f"{path.name}: {table.attrs['read_as']}; {columns.describe()}"]
    if columns.x is None or columns.y is None:
        return None, [*told, f"{path.name}: no coordinates, left out"]
    if columns.elements:
        names = " ".join(f"-v '{element.column}'" for element in columns.elements[:3])
        told.append(f"{path.name}: assays; make layers of them: prospect grid {path.name} {names}")
    if columns.commodity is None:
        told.append(
            f"{path.name}: points of unknown purpose; if they are deposits of one commodity, name "
            "them with --occurrences"
        )
        return None, told
    if not columns.in_degrees:
        told.append(f"{path.name}: name its coordinate system, crs = 'EPSG:...'")
    spec = OccurrenceSpec(
        path,
        commodity=columns.commodity,
        status=columns.status,
        crs=None,
        x=columns.x,
        y=columns.y,
    )
    return spec, [*told, _commodities_in(path, table[columns.commodity])]


def _vector(path: Path) -> tuple[list[VectorSpec], OccurrenceSpec | None, list[str]]:
    about = outline(path)
    if about.kind == "line":
        found, told = _lines(path, about)
        return found, None, told
    if about.kind == "polygon":
        found, told = _polygons(path, about)
        return found, None, told
    columns = guess_columns(about.values)
    if columns.commodity is None:
        return [], None, [f"{path.name}: {about.features} points of unknown purpose, left out"]
    spec = OccurrenceSpec(path, commodity=columns.commodity, status=columns.status)
    return [], spec, [_commodities_in(path, about.values[columns.commodity].elements())]


def _lines(path: Path, about: Outline) -> tuple[list[VectorSpec], list[str]]:
    """Faults and folds, by the attribute that names most of them."""
    best, named = "", 0
    for attribute, values in about.values.items():
        count = sum(n for text, n in values.items() if structure_of(text))
        if count > named:
            best, named = attribute, count
    if named < _UNDERSTOOD * about.features:
        if says(path.stem.replace("_", " "), _FAULT_NAMES):
            return [VectorSpec(path.stem, path, "faults")], []
        return [], [f"{path.name}: {about.features} lines of unknown purpose, left out"]
    texts: dict[str, list[str]] = {}
    guessed, strange = [], []
    for text, count in about.values[best].items():
        structure = structure_of(text)
        if structure is None:
            strange.append(f"'{text}' ({count})")
        else:
            texts.setdefault(structure[0], []).append(text)
            if structure[1]:
                guessed.append(f"'{text}' as {structure[0].split('.')[1].replace('_', ' ')}")
    told = []
    if guessed:
        told.append(f"{path.name}: misspelt values of '{best}' are read {', '.join(guessed)}")
    if strange:
        told.append(f"{path.name}: values of '{best}' left out: {', '.join(strange)}")
    empty = about.features - about.values[best].total()
    if empty:
        told.append(f"{path.name}: {empty} of {about.features} lines have no '{best}', left out")
    found = [
        VectorSpec(role.split(".")[1], path, role, where=_where(best, texts[role]))
        for role in sorted(texts)
    ]
    return found, told


def _polygons(path: Path, about: Outline) -> tuple[list[VectorSpec], list[str]]:
    """Lithology and ages, by the attributes that name them."""
    found = []
    by_name = {attribute.lower(): attribute for attribute in about.values}
    rock = next((by_name[name] for name in _ROCK_COLUMNS if name in by_name), None)
    if rock is not None and len(about.values[rock]) <= MAX_CLASSES:
        found.append(VectorSpec("lithology", path, "geology.lithology", attribute=rock))
    for attribute, values in about.values.items():
        dated = sum(n for text, n in values.items() if read_age(text))
        if (
            attribute.lower() in _AGE_COLUMNS
            and dated > _UNDERSTOOD * about.features
            and len(values) <= MAX_CLASSES
        ):
            found.append(VectorSpec("age", path, "geology.age", attribute=attribute))
            break
    if found:
        return found, []
    names = ", ".join(list(about.values)[:8]) or "none"
    return [], [f"{path.name}: polygons of unknown purpose (attributes: {names}), left out"]


def _where(attribute: str, texts: Iterable[str]) -> str:
    """An OGR SQL condition for some values of an attribute."""
    quoted = ", ".join("'" + text.replace("'", "''") + "'" for text in sorted(texts))
    return f'"{attribute}" IN ({quoted})'


def _commodities_in(path: Path, texts: Iterable[str]) -> str:
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(named_commodities(str(text)))
    listed = ", ".join(f"{count} of {name}" for name, count in counts.most_common(6))
    return f"{path.name}: occurrences, {listed or 'of no commodity that is known'}"


def _uniquely_named(specs: Iterable[VectorSpec]) -> tuple[VectorSpec, ...]:
    """Specs under names that none shares."""
    result: list[VectorSpec] = []
    for spec in specs:
        name, number = spec.name, 2
        while any(other.name == name for other in result):
            name, number = f"{spec.name}_{number}", number + 1
        result.append(replace(spec, name=name))
    return tuple(result)
