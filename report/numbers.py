"""How numbers, counts and dates are written in each language. Slovenian has a decimal comma and a dual."""

import datetime
import math

from pipeline.errors import UnknownName

LANGUAGES = ("sl", "en")
MONTHS_SL = ("januarja", "februarja", "marca", "aprila", "maja", "junija", "julija", "avgusta", "septembra", "oktobra", "novembra",
             "decembra")
MONTHS_EN = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December")
MISSING = "–"


def check_language(language: str) -> None:
    if language not in LANGUAGES:
        raise UnknownName("language", language, LANGUAGES)


def decimal(value: float | None, digits: int, language: str) -> str:
    """A fixed number of digits after the decimal point or comma, no sign before a zero; a dash where there is no number.

    >>> decimal(0.8166, 3, "sl"), decimal(-0.0001, 3, "en")
    ('0,817', '0.000')
    """
    if value is None or not math.isfinite(value):
        return MISSING
    text = f"{value:z.{digits}f}".replace("-", "−")
    return text.replace(".", ",") if language == "sl" else text


def whole(value: int, language: str) -> str:
    """A whole number with a comma (English) or a thin space (Slovenian, from five digits on) between thousands.

    >>> whole(11170, "en"), whole(-1000, "sl")
    ('11,170', '−1000')
    """
    grouped = f"{value:,}".replace("-", "−")
    return grouped.replace(",", "\u202f" if abs(value) >= 10_000 else "") if language == "sl" else grouped


def roughly(value: int, language: str) -> str:
    """A whole number with two significant digits, for an estimate whose others say nothing.

    >>> roughly(1249, "en"), roughly(84, "sl")
    ('1,200', '84')
    """
    return whole(int(float(f"{value:.2g}")), language)


def percent(value: float | None, digits: int, language: str) -> str:
    """A share in [0, 1] as a percentage; both languages put a space before the sign here, as SI does."""
    if value is None or not math.isfinite(value):
        return MISSING
    return decimal(100 * value, digits, language) + "\u00a0%"


def p_value(value: float | None, language: str) -> str:
    """A p value with three digits, below that only the bound; a dash where there is none.

    >>> p_value(0.0004, "sl")
    '< 0,001'
    """
    return f"< {decimal(0.001, 3, language)}" if value is not None and value < 0.001 else decimal(value, 3, language)


def scientific(value: float, language: str) -> str:
    """A hyperparameter the way it is read: 0, 5 · 10⁻⁴, 10⁻³, 0,9; never broken at the end of a line.

    >>> scientific(5e-4, "en")
    '5\\xa0·\\xa010⁻⁴'
    """
    if value == 0 or 0.01 < value <= 1:
        text = f"{value:.4g}"
        return text.replace(".", ",") if language == "sl" else text
    mantissa, exponent = f"{value:.2e}".split("e")
    power = "10" + str(int(exponent)).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
    digits = mantissa.rstrip("0").rstrip(".")
    digits = digits.replace(".", ",") if language == "sl" else digits
    return power if digits == "1" else f"{digits}\u00a0·\u00a0{power}"


def date(moment: str, language: str) -> str:
    """An ISO date as people write it: `22. novembra 2026`, `22 November 2026`."""
    day = datetime.datetime.fromisoformat(moment)
    if language == "sl":
        return f"{day.day}. {MONTHS_SL[day.month - 1]} {day.year}"
    return f"{day.day} {MONTHS_EN[day.month - 1]} {day.year}"


def duration(seconds: float, language: str) -> str:
    """Seconds as `48 s`, `7 min 12 s` or `2 h 5 min`."""
    total = int(round(seconds))
    if total < 60:
        return f"{decimal(seconds, 1, language)} s" if seconds < 10 else f"{total} s"
    if total < 3600:
        return f"{total // 60} min {total % 60} s"
    return f"{total // 3600} h {total % 3600 // 60} min"


def plural_form(count: int, language: str) -> int:
    """Which form of a noun goes with a count: English 0 or 1; Slovenian 0 (one), 1 (two), 2 (three, four), 3 (others).

    >>> [plural_form(n, "sl") for n in (1, 2, 4, 5, 101, 0)]
    [0, 1, 2, 3, 0, 3]
    """
    if language == "en":
        return 0 if count == 1 else 1
    last = count % 100
    return {1: 0, 2: 1, 3: 2, 4: 2}.get(last, 3)
