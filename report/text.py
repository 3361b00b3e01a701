"""A piece of Markdown that a page shows, as a value that notebooks display."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Text:
    """markdown: shown as Markdown by Quarto and by the embedded renderer, in cells and within a line."""

    markdown: str

    def _repr_markdown_(self) -> str:
        return self.markdown

    def __repr__(self) -> str:
        return self.markdown
