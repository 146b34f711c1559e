"""What the plugin itself says, in the language of QGIS."""

from __future__ import annotations

import json
from pathlib import Path

LANGUAGES = ("en", "ru")


class Texts:
    """Texts of ``texts.json`` in one language, English where it has none."""

    def __init__(self, locale: str) -> None:
        language = str(locale).replace("-", "_").split("_")[0].lower()
        self.language = language if language in LANGUAGES else "en"
        path = Path(__file__).with_name("texts.json")
        self._texts = json.loads(path.read_text(encoding="utf-8"))

    def __call__(self, key: str, **values: object) -> str:
        """A text with its values filled in."""
        return self.of(self._texts["texts"][key]).format(**values)

    def of(self, told: dict[str, str]) -> str:
        """The text of this language among several."""
        return told.get(self.language) or told.get("en", "")

    def legend(self, label: str) -> str:
        """A label of a style in this language; as it is, where it is not known."""
        if self.language == "en":
            return label
        for english, other in self._texts["legend"][self.language].items():
            begin, hole, end = english.partition("{}")
            if not hole:
                if label == english:
                    return other
            elif label.startswith(begin) and label.endswith(end):
                inside = label[len(begin) : len(label) - len(end) or None]
                if " " not in inside:
                    return other.format(inside)
        return label
