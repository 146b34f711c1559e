"""Which commodity and which standing a text means, by the lists of ``words.toml``."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

_FILE = Path(__file__).with_name("words.toml")


class Standing(NamedTuple):
    """How far an occurrence is known: its name and the weight that training gives it."""

    name: str
    weight: float


def says(text: str, words: Iterable[str]) -> bool:
    """
    Whether a text says one of some words.

    Parameters
    ----------
    text : str
        In lower or upper case.
    words : iterable of str
        In lower case. Up to three letters count only as whole words: ``au`` is not in
        ``aurora``. Longer ones are found at the start of any word.
    """
    text = text.lower().replace("ё", "е")
    parts = "".join(c if c.isalnum() else " " for c in text).split()
    spaced = " " + " ".join(parts)
    return any(
        word in parts if len(word) <= 3 else f" {word}" in spaced
        for word in (word.replace("ё", "е") for word in words)
    )


def commodity_words(name: str) -> tuple[str, ...]:
    """The words for a commodity; none for one that the lexicon does not know."""
    return tuple(_lexicon()["commodities"].get(name, ()))


def placer_words(name: str) -> tuple[str, ...]:
    """The words that tell placers of a commodity."""
    return tuple(_lexicon()["placers"].get(name, ()))


def named_commodities(text: str) -> set[str]:
    """Every commodity of the lexicon that a text names."""
    return {name for name, words in _lexicon()["commodities"].items() if says(text, words)}


def standing_of(text: str) -> Standing | None:
    """The standing that a text names; None when it names none."""
    for row in _lexicon()["status"]:
        if says(text, row["words"]):
            return Standing(row["name"], float(row["weight"]))
    return None


def layer_word(word: str) -> str:
    """The English word that layers are known by, for one of a file's name; else the word."""
    layers: dict[str, list[str]] = _lexicon()["layers"]
    return next((english for english, words in layers.items() if says(word, words)), word)


def structure_of(text: str) -> tuple[str, bool] | None:
    """
    The role that an attribute of a line names.

    Returns
    -------
    (str, bool) or None
        Such as ``faults.thrust``, and whether the text had to be guessed from a misspelling;
        None when it names no structure.
    """
    plain = " ".join("".join(c if c.isalnum() else " " for c in text.lower()).split())
    structures: dict[str, list[str]] = _lexicon()["structures"]
    for role, words in structures.items():
        if says(plain, words):
            return role, False
    known = {word: role for role, words in structures.items() for word in words}
    close = difflib.get_close_matches(plain, known, n=1, cutoff=0.8)
    return (known[close[0]], True) if close else None


@cache
def _lexicon() -> dict[str, Any]:
    return tomllib.loads(_FILE.read_text(encoding="utf-8"))
