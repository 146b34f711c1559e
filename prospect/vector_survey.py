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
from prospect.vector import Outline, outline, states_system

_FAULT_NAMES = ("fault", "разлом", "struct", "тектон", "lineament")
_ROCK_COLUMNS = ("lithology", "lith", "rock", "порода", "литология", "rocktype", "rock_type")
_AGE_COLUMNS = ("age", "index", "возраст", "индекс", "stratigraphy", "era", "label")
_ZONE_COLUMNS = (
    "structure", "structural_zone", "struct_zone", "tectonic_unit", "tectonic_zone", "terrane",
    "структура", "структурная_зона", "тектоническая_зона", "террейн",
)  # fmt: skip
_ROCK_WORDS = (
    "greenstone", "granit", "pluton", "intrusi", "carbonate", "limestone", "shale", "flysch",
    "ophiolite", "basalt", "зеленокамен", "гранит", "интрузи", "карбонат", "известняк", "сланц",
    "сланец", "флиш", "офиолит", "базальт",
)  # fmt: skip
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
    candidates : tuple of OccurrenceSpec
        Files of points that name commodities.
    notes : tuple of str
        What was understood, guessed and left out.
    """

    vectors: tuple[VectorSpec, ...] = ()
    candidates: tuple[OccurrenceSpec, ...] = ()
    notes: tuple[str, ...] = field(default=())


def survey_vectors(paths: Iterable[Path], *, crs: str | None = None) -> VectorSurvey:
    """
    Guess what vector files and tables are for.

    Lines become faults and folds, by the attribute that names their kind where there is
    one, misspellings included; polygons become lithology, structural zones or age by the
    attribute that names them; points and tables with a commodity become the occurrences.

    Parameters
    ----------
    paths : iterable of path
        Vector files, CSV and XLSX.
    crs : str, optional
        Coordinate system of those that do not state one.

    Returns
    -------
    VectorSurvey
        A file that cannot be read, or is for nothing that is known, is named in the notes.
    """
    vectors: list[VectorSpec] = []
    found: list[VectorSpec]
    notes: list[str] = []
    candidates: list[OccurrenceSpec] = []
    for path in paths:
        try:
            if path.suffix.lower() in TABLE_SUFFIXES:
                found = []
                spec, told = _table(path, crs)
            else:
                found, spec, told = _vector(path)
        except ProspectError as error:
            notes.append(str(error))
            continue
        stated = path.suffix.lower() in TABLE_SUFFIXES or states_system(path)
        vectors += found if stated or crs is None else [replace(f, crs=crs) for f in found]
        notes += told
        if spec is not None:
            candidates.append(spec if stated or crs is None else replace(spec, crs=crs))
    return VectorSurvey(_uniquely_named(vectors), tuple(candidates), tuple(notes))


def _table(path: Path, crs: str | None) -> tuple[OccurrenceSpec | None, list[str]]:
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
        named = _named_by_file(path, columns, list(table.columns))
        if named is None:
            told.append(
                f"{path.name}: points of unknown purpose; if they are deposits of one commodity, "
                "name them with --occurrences; to make a layer of a column: prospect grid "
                f"{path.name} -v COLUMN"
            )
            return None, told
        told.append(f"{path.name}: occurrences of {named}, by its name")
    else:
        told.append(_commodities_in(path, table[columns.commodity]))
    if not columns.in_degrees and crs is None:
        told.append(f"{path.name}: name its coordinate system with --crs, or crs = 'EPSG:...'")
    spec = OccurrenceSpec(
        path,
        commodity=columns.commodity,
        of=None if columns.commodity else named,
        status=columns.status,
        crs=None if columns.in_degrees else crs,
        x=columns.x,
        y=columns.y,
    )
    return spec, told


def _named_by_file(path: Path, columns: Columns, names: list[str]) -> str | None:
    """The one commodity that a file's name tells of its points, where nothing else speaks."""
    named = named_commodities(path.stem.replace("_", " ").replace("-", " "))
    plain = {columns.x, columns.y, "id", "fid", "ID", "FID", "OBJECTID"}
    alone = not set(names) - plain or columns.status is not None
    return next(iter(named)) if len(named) == 1 and alone else None


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
        named = _named_by_file(path, columns, list(about.values))
        if named is not None:
            told = [f"{path.name}: occurrences of {named}, by its name"]
            return [], OccurrenceSpec(path, of=named, status=columns.status), told
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
    """Lithology, structural zones and ages, by the attributes that name them."""
    found = []
    by_name = {attribute.lower(): attribute for attribute in about.values}
    for kind, known in (("lithology", _ROCK_COLUMNS), ("structure", _ZONE_COLUMNS)):
        column = next((by_name[name] for name in known if name in by_name), None)
        if column is not None and len(about.values[column]) <= MAX_CLASSES:
            found.append(VectorSpec(kind, path, f"geology.{kind}", attribute=column))
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
    words = path.stem.replace("_", " ").replace("-", " ")
    if says(words, _ROCK_WORDS):
        told = f"{path.name}: polygons of one rock by its name; the ground around is 'not' it"
        role = f"geology.{'_'.join(words.lower().split())}"
        return [VectorSpec(path.stem, path, role, inside=path.stem)], [told]
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
