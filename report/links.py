"""The links below every figure and table: to the data behind it and to the code that made it."""

import html

from report import tables
from report.behind import file_name
from report.figures.registry import FIGURES, code_of
from report.text import Text
from report.words import Words

DATA_FOLDER, CODE_FOLDER = "data", "code"


def code_file(module: str) -> str:
    """The page that shows a module of the report: `report.figures.roc` is on `figures-roc.html`."""
    return f"{module.removeprefix('report.').replace('.', '-')}.html"


def code_link(identifier: str) -> str:
    """Page and line of the function that made a figure or table."""
    function = code_of(identifier) if identifier in FIGURES else tables.TABLES[identifier]
    return f"{code_file(function.__module__)}#line-{function.__code__.co_firstlineno}"


def headlines_link(words: Words) -> Text:
    """The link to all headline numbers in one file."""
    return Text(f'`<a href="../../study.json" download>{words("follow.headlines")}</a>`{{=html}}')


def follow(identifier: str, words: Words) -> Text:
    """The links of one figure or table, as HTML within a line, which no other format shows."""
    links = ((f"../{DATA_FOLDER}/{file_name(identifier)}", "data", " download"), (f"../{CODE_FOLDER}/{code_link(identifier)}", "code", ""))
    shown = "".join(f'<a href="{html.escape(target)}"{more}>{words(f"follow.{name}", thing=identifier)}</a> '
                    for target, name, more in links)
    return Text(f'`<span class="follow">{shown.strip()}</span>`{{=html}}')
