"""The catalogue of words, one for figures, tables and text, in both languages."""

import tomllib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from report import numbers
from report.errors import MissingTranslation
from report.numbers import check_language

CATALOGUE = Path(__file__).parent.parent / "templates" / "words.toml"


@lru_cache(maxsize=1)
def _catalogue() -> dict[str, dict[str, str]]:
    return tomllib.loads(CATALOGUE.read_text(encoding="utf-8"))


@dataclass(frozen=True)
class Words:
    """Words and number formats of one language (`sl` or `en`)."""

    language: str

    def __post_init__(self) -> None:
        check_language(self.language)

    def __call__(self, key: str, **values: object) -> str:
        """The word or phrase `key` (`group.key` in a group), with `{name}` filled in.

        A missing key is a fault of the program, a missing translation raises MissingTranslation.
        """
        entry = _catalogue()
        for part in key.split("."):
            entry = entry[part]
        if self.language not in entry:
            raise MissingTranslation(key, self.language, CATALOGUE)
        return entry[self.language].format(**values) if values else entry[self.language]

    def group(self, name: str) -> dict[str, str]:
        """Every word of a group, not filled in."""
        return {key: self(f"{name}.{key}") for key in _catalogue()[name]}

    def count(self, number: int, noun: str) -> str:
        """A number with its noun in the right form: `2 bolnika`, `2 patients`."""
        forms = self(noun).split("|")
        return f"{numbers.whole(number, self.language)} {forms[numbers.plural_form(number, self.language)]}"

    def form(self, number: int, key: str) -> str:
        """The form of a word that goes with a count, without the count: `je`, `sta`, `so`."""
        return self(key).split("|")[numbers.plural_form(number, self.language)]

    def decimal(self, value: float | None, digits: int = 3) -> str:
        return numbers.decimal(value, digits, self.language)

    def span(self, found: dict[str, float], digits: int = 3) -> str:
        """The range of several runs, `low` to `high`; one number where they all agree."""
        ends = [self.decimal(found[end], digits) for end in ("low", "high")]
        return "–".join(dict.fromkeys(ends))

    def ends(self, found: dict[str, float], digits: int = 2) -> str:
        """An interval in a sentence: `0.71 to 0.95`; one number where its ends do not differ."""
        low, high = (self.decimal(found[end], digits) for end in ("low", "high"))
        return low if low == high else self("from_to", low=low, high=high)

    def percents(self, found: dict[str, float]) -> str:
        """The same of a share in percent: `71 to 95 %`."""
        return self("from_to", low=self.decimal(100 * found["low"], 0), high=self.percent(found["high"]))

    def whole(self, value: int) -> str:
        return numbers.whole(value, self.language)

    def roughly(self, value: int) -> str:
        return numbers.roughly(value, self.language)

    def percent(self, value: float | None, digits: int = 0) -> str:
        return numbers.percent(value, digits, self.language)

    def p_value(self, value: float | None) -> str:
        return numbers.p_value(value, self.language)

    def scientific(self, value: float) -> str:
        return numbers.scientific(value, self.language)

    def date(self, moment: str) -> str:
        return numbers.date(moment, self.language)

    def duration(self, seconds: float) -> str:
        return numbers.duration(seconds, self.language)

    def list(self, items: list[str]) -> str:
        """Items joined with commas and a last `and`: `a, b in c`."""
        if len(items) < 2:
            return "".join(items)
        return f"{', '.join(items[:-1])} {self('and')} {items[-1]}"
