"""What the report says in a language, and how its numbers look."""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from prospect.errors import ProspectError
from prospect.validation.verdict import ENGLISH

_FOLDER = Path(__file__).parent
LANGUAGES = tuple(sorted(path.stem for path in _FOLDER.glob("*.toml")))


@dataclass(frozen=True)
class Language:
    """
    The words of one language.

    Attributes
    ----------
    code : str
        ``en`` or ``ru``.
    words : mapping of section to mapping of key to text
    """

    code: str
    words: Mapping[str, Any]

    @property
    def verdict(self) -> Mapping[str, str]:
        """Words of the verdict."""
        found: Mapping[str, str] = self.words.get("verdict", ENGLISH)
        return found

    def say(self, section: str, key: str, **values: Any) -> str:
        """A text with its values; a key that the section lacks stays as it is."""
        text = str(self.words[section].get(key, key))
        return text.format(**values) if values else text

    def phrase(self, text: str, *sections: str) -> str:
        """A text of the program in the language's words, by its patterns; else as it is."""
        for section in sections:
            made = translated(text, self.words.get(section, {}))
            if made != text:
                return made
        return text

    def number(self, value: float | None, digits: int = 2, *, sign: bool = False) -> str:
        """A number as the language writes it; a dash where there is none."""
        if value is None or not math.isfinite(value):
            return "–"
        text = f"{value:+z.{digits}f}" if sign else f"{value:z.{digits}f}"
        return text.replace(".", str(self.words["decimal"])).replace("-", "−")

    def folds(self, name: str) -> str:
        """What folds are called."""
        size, space, rest = name.partition(" ")
        if space and rest == "km block folds":
            return self.say("fold_names", rest, size=size.replace(".", str(self.words["decimal"])))
        return self.say("fold_names", name)


def translated(text: str, words: Mapping[str, str]) -> str:
    """
    A text in other words; as it is where there are none.

    Parameters
    ----------
    text : str
    words : mapping of text to text wanted
        With ``{names}`` where a text has values; these are looked up as well. The first
        that fits is taken.
    """
    for known, wanted in words.items():
        found = _pattern(known).fullmatch(text)
        if found:
            values = {name: translated(value, words) for name, value in found.groupdict().items()}
            return wanted.format(**values)
    return text


@cache
def _pattern(known: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\\{(\w+)\\}", r"(?P<\1>.+?)", re.escape(known)), re.DOTALL)


def load_language(code: str) -> Language:
    """
    Read the words of a language.

    Raises
    ------
    ProspectError
        If there are none.
    """
    if code not in LANGUAGES:
        raise ProspectError(
            f"There is no report in '{code}'; there is one in {', '.join(LANGUAGES)}."
        )
    text = (_FOLDER / f"{code}.toml").read_text(encoding="utf-8")
    return Language(code, tomllib.loads(text))
