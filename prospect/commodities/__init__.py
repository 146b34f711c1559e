"""Commodities: what is looked for, as data that a geologist can read, copy and edit."""

from __future__ import annotations

import hashlib
import tomllib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from prospect.errors import RecipeError
from prospect.features.recipe import Recipe
from prospect.lexicon import commodity_words, placer_words, says

FORMAT = 1
_FOLDER = Path(__file__).parent


ANY = "any"
"""In a row's ``types``: the definition that no single type was asked of."""

_KEYS = frozenset(
    ("format", "name", "title", "model", "words", "not_words", "associated", "type", "feature")
)


@dataclass(frozen=True)
class DepositType:
    """
    One of the deposit types of a commodity.

    Attributes
    ----------
    name, title, model : str
        Such as ``au_irgs``.
    words : tuple of str
        Texts of a type column, or of the commodity itself, that mean it.
    """

    name: str
    title: str
    model: str
    words: tuple[str, ...]


@dataclass(frozen=True)
class Commodity:
    """
    What is looked for, and which evidence speaks for it.

    Attributes
    ----------
    name, title : str
    model : str
        The deposit model it follows.
    words : tuple of str
        An occurrence whose commodity says one of these is meant: the definition's words and
        the lexicon's, in four languages.
    not_words : tuple of str
        An occurrence whose commodity says one of these is left out, such as placers.
    associated : tuple of str
        Commodities whose deposits are never taken as barren ground.
    recipe : Recipe
        Rows for the type that was asked for, or for all of them together.
    types : tuple of DepositType
    type : str
        The one that was asked for; else nothing.
    """

    name: str
    title: str
    model: str
    words: tuple[str, ...]
    not_words: tuple[str, ...]
    associated: tuple[str, ...]
    recipe: Recipe
    types: tuple[DepositType, ...] = ()
    type: str = ""

    @property
    def digest(self) -> str:
        """SHA-256 of all that it says, in hexadecimal."""
        return hashlib.sha256(repr(self).encode()).hexdigest()

    def type_of(self, text: str) -> str:
        """The name of the deposit type that a text means; else nothing."""
        found = (each.name for each in self.types if says(text, each.words))
        return next(found, "")

    def is_meant(self, text: str) -> bool:
        """Whether the text of an occurrence's commodity means this one."""
        return says(text, self.words)

    def is_excluded(self, text: str) -> bool:
        """Whether an occurrence of this commodity is left out, such as a placer."""
        return says(text, self.not_words)


def commodity_names() -> list[str]:
    """The commodities that come with the package."""
    return sorted(path.stem for path in _FOLDER.glob("*.toml"))


def load_commodity(source: str | Path | Commodity, deposit_type: str | None = None) -> Commodity:
    """
    Read the definition of a commodity.

    Parameters
    ----------
    source : str, path or Commodity
        A name that comes with the package, the name of one of their deposit types, or the
        path of a TOML file.
    deposit_type : str, optional
        One of the types of the definition, such as ``au_irgs``: its own rows and signs, and
        its own deposits.

    Raises
    ------
    RecipeError
        If there is no such commodity or type, its file is wrong, or a type is asked of a
        definition that was read already, as another or as all of them.
    """
    if isinstance(source, Commodity):
        return _of_type(source, deposit_type)
    path = Path(source)
    if path.suffix != ".toml":
        path = _FOLDER / f"{str(source).lower()}.toml"
        if not path.is_file():
            name = str(source).lower()
            owner = next((n for n in commodity_names() if name in _type_names(n)), None)
            if owner is not None:
                return _of_type(load_commodity(owner, name), deposit_type)
            raise RecipeError(
                f"There is no commodity '{source}'; there are {', '.join(commodity_names())}, or "
                "give the path of your own .toml file."
            )
    data = _read(path)
    types = tuple(_type(each, path) for each in data.get("type", []))
    chosen = None
    if deposit_type is not None:
        chosen = next((each for each in types if each.name == deposit_type), None)
        if chosen is None:
            known = ", ".join(each.name for each in types) or "none"
            raise RecipeError(f"{path.stem} has no type '{deposit_type}'; it has {known}.")
    rows = _rows_for(data["feature"], ANY if chosen is None else chosen.name, types, path)
    try:
        recipe = Recipe.from_tables(rows)
    except RecipeError as error:
        raise RecipeError(f"{path}: {error}") from error
    name = str(data.get("name", path.stem))
    made = Commodity(
        name=name,
        title=str(data.get("title", name)),
        model=str(data.get("model", "")),
        words=_joined(_texts(data, "words", path), commodity_words(name), (name.lower(),)),
        not_words=_joined(_texts(data, "not_words", path), placer_words(name)),
        associated=_texts(data, "associated", path),
        recipe=recipe,
        types=types,
    )
    if chosen is None:
        return made
    return replace(made, name=chosen.name, title=chosen.title, model=chosen.model, type=chosen.name)


def _of_type(definition: Commodity, deposit_type: str | None) -> Commodity:
    """The definition, if a type that is asked of it is its own."""
    if deposit_type not in (None, definition.type):
        raise RecipeError(
            f"'{definition.name}' was read as {definition.type or 'all of its types'}, but the "
            f"type '{deposit_type}' came: name the commodity and the type together."
        )
    return definition


def _read(path: Path) -> dict[str, Any]:
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise RecipeError(f"{path} cannot be read as a commodity: {error}") from error
    if data.get("format") != FORMAT:
        raise RecipeError(f"{path} has format {data.get('format')!r}, but {FORMAT} was expected.")
    for key in ("feature", "type"):
        rows = data.get(key, [])
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise RecipeError(f"{path} needs rows of [[{key}]].")
    if not data.get("feature"):
        raise RecipeError(f"{path} needs rows of [[feature]].")
    unknown = set(data) - _KEYS
    if unknown:
        raise RecipeError(f"{path} has an unknown key '{min(unknown)}'.")
    return data


def _type_names(commodity: str) -> list[str]:
    """Names of the deposit types of a commodity of the package."""
    return [str(each.get("name")) for each in _read(_FOLDER / f"{commodity}.toml").get("type", [])]


def _type(table: dict[str, Any], path: Path) -> DepositType:
    name = table.get("name")
    if not isinstance(name, str) or not name:
        raise RecipeError(f"{path}: a [[type]] needs a name.")
    unknown = set(table) - {"name", "title", "model", "words"}
    if unknown:
        raise RecipeError(f"{path}: type '{name}' has an unknown key '{min(unknown)}'.")
    # Texts are compared without their dashes.
    words = (_parted(word) for word in (name, *_texts(table, "words", path)))
    return DepositType(
        name, str(table.get("title", name)), str(table.get("model", "")), tuple(words)
    )


def _parted(word: str) -> str:
    return word.replace("-", " ").replace("_", " ")


def _rows_for(
    rows: list[dict[str, Any]], wanted: str, types: tuple[DepositType, ...], path: Path
) -> list[dict[str, Any]]:
    """The rows that a type, or the whole definition, uses; those that name no type always."""
    known = {ANY, *(each.name for each in types)}
    kept = []
    for row in rows:
        named = set(_texts(row, "types", path)) or known
        if not named <= known:
            raise RecipeError(
                f"{path}: feature '{row.get('name')}' is of type '{min(named - known)}', but there "
                f"are {', '.join(sorted(known))}."
            )
        if wanted in named:
            kept.append({key: value for key, value in row.items() if key != "types"})
    return kept


def _texts(data: dict[str, Any], key: str, path: Path) -> tuple[str, ...]:
    values = data.get(key, [])
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise RecipeError(f"{path}: {key} is a list of words.")
    return tuple(value.lower() for value in values)


def _joined(*lists: tuple[str, ...]) -> tuple[str, ...]:
    """Words of several lists, each once."""
    return tuple(dict.fromkeys(word for words in lists for word in words))
