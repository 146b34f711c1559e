"""Commodities: what is looked for, as data that a geologist can read, copy and edit."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prospect.errors import RecipeError
from prospect.features.recipe import Recipe
from prospect.lexicon import commodity_words, placer_words, says

FORMAT = 1
_FOLDER = Path(__file__).parent


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
    """

    name: str
    title: str
    model: str
    words: tuple[str, ...]
    not_words: tuple[str, ...]
    associated: tuple[str, ...]
    recipe: Recipe

    def is_meant(self, text: str) -> bool:
        """Whether the text of an occurrence's commodity means this one."""
        return says(text, self.words)

    def is_excluded(self, text: str) -> bool:
        """Whether an occurrence of this commodity is left out, such as a placer."""
        return says(text, self.not_words)


def commodity_names() -> list[str]:
    """The commodities that come with the package."""
    return sorted(path.stem for path in _FOLDER.glob("*.toml"))


def load_commodity(source: str | Path | Commodity) -> Commodity:
    """
    Read the definition of a commodity.

    Parameters
    ----------
    source : str, path or Commodity
        A name that comes with the package, or the path of a TOML file.

    Raises
    ------
    RecipeError
        If there is no such commodity, or its file is wrong.
    """
    if isinstance(source, Commodity):
        return source
    path = Path(source)
    if path.suffix != ".toml":
        path = _FOLDER / f"{str(source).lower()}.toml"
        if not path.is_file():
            raise RecipeError(
                f"There is no commodity '{source}'; there are {', '.join(commodity_names())}, or "
                "give the path of your own .toml file."
            )
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise RecipeError(f"{path} cannot be read as a commodity: {error}") from error
    if data.get("format") != FORMAT:
        raise RecipeError(f"{path} has format {data.get('format')!r}, but {FORMAT} was expected.")
    rows = data.get("feature")
    if not isinstance(rows, list) or not rows:
        raise RecipeError(f"{path} needs rows of [[feature]].")
    known = {"format", "name", "title", "model", "words", "not_words", "associated", "feature"}
    unknown = set(data) - known
    if unknown:
        raise RecipeError(f"{path} has an unknown key '{min(unknown)}'.")
    try:
        recipe = Recipe.from_tables(rows)
    except RecipeError as error:
        raise RecipeError(f"{path}: {error}") from error
    name = str(data.get("name", path.stem))
    return Commodity(
        name=name,
        title=str(data.get("title", name)),
        model=str(data.get("model", "")),
        words=_joined(_texts(data, "words", path), commodity_words(name), (name.lower(),)),
        not_words=_joined(_texts(data, "not_words", path), placer_words(name)),
        associated=_texts(data, "associated", path),
        recipe=recipe,
    )


def _texts(data: dict[str, Any], key: str, path: Path) -> tuple[str, ...]:
    values = data.get(key, [])
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise RecipeError(f"{path}: {key} is a list of words.")
    return tuple(value.lower() for value in values)


def _joined(*lists: tuple[str, ...]) -> tuple[str, ...]:
    """Words of several lists, each once."""
    return tuple(dict.fromkeys(word for words in lists for word in words))
