"""The Jinja2 environment of all templates. A name a template does not know is an error, never an empty place."""

from functools import lru_cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

TEMPLATES = Path(__file__).parent.parent / "templates"


@lru_cache(maxsize=2)
def environment(escape: bool) -> Environment:
    """escape: True for HTML pages, False for Markdown and Typst."""
    return Environment(loader=FileSystemLoader(TEMPLATES), autoescape=escape, undefined=StrictUndefined,
                       trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=False)
