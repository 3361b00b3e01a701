"""Errors of the report that a user or an author of a page can mend."""

from pathlib import Path

from pipeline.errors import UserError


class UnknownConstruct(UserError):
    """A construct of a page that the embedded renderer does not know."""

    def __init__(self, path: Path, line: int, what: str):
        super().__init__(f"{path}:{line}: the embedded renderer does not know {what}; render with Quarto, or write it in another way")


class BrokenReference(UserError):
    """A cross-reference to a label that no figure, table, equation or section has."""

    def __init__(self, page: str, label: str):
        super().__init__(f"{page}: @{label} refers to nothing; correct the reference or add the label")


class MissingTranslation(UserError):
    """A word or sentence that one of the languages lacks."""

    def __init__(self, what: str, language: str, path: Path):
        super().__init__(f"'{what}' has no translation into '{language}'; add it in {path}")
