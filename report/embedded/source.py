"""Reads a .qmd page: its front matter, its includes, its cells and inline code, each with file and line."""

import re
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from pipeline.errors import MissingPath
from report.errors import UnknownConstruct

CELL_OPTIONS = {"label", "fig-cap", "fig-alt", "tbl-cap"}
DIV_CLASSES = {"callout-note", "callout-warning", "callout-tip", "content-visible"}
INCLUDE = re.compile(r"^\{\{<\s*include\s+(\S+)\s*>\}\}\s*$")
CELL_START = re.compile(r"^```\{(\w+)\}\s*$")
DIV_START = re.compile(r"^:::+\s*\{([^}]*)\}\s*$")
INLINE = re.compile(r"`\{python\}\s+([^`]+)`")


@dataclass(frozen=True)
class Cell:
    """A Python cell: its options and code, and where it stands."""

    options: dict[str, str]
    code: str
    path: Path
    line: int


@dataclass
class Page:
    """A page read whole: metadata, and its parts in order, Markdown text or cells."""

    path: Path
    metadata: dict
    parts: list[str | Cell] = field(default_factory=list)

    def inline_expressions(self) -> list[str]:
        """Every inline expression, once, in order of appearance."""
        found = [match for part in self.parts if isinstance(part, str) for match in INLINE.findall(part)]
        return list(dict.fromkeys(expression.strip() for expression in found))


def read_page(path: Path) -> Page:
    """Read a page with its includes; its metadata are those of the project, the folder and the page, merged."""
    metadata: dict = {}
    for file in (path.parent / "_metadata.yml",):
        if file.exists():
            metadata = yaml.safe_load(file.read_text(encoding="utf-8")) or {}
    lines = path.read_text(encoding="utf-8").splitlines()
    front, start = _front_matter(lines)
    page = Page(path, metadata | front)
    _read_lines(page, path, lines[start:], start + 1)
    return page


def _front_matter(lines: list[str]) -> tuple[dict, int]:
    if not lines or lines[0] != "---":
        return {}, 0
    end = lines.index("---", 1)
    return yaml.safe_load("\n".join(lines[1:end])) or {}, end + 1


def _read_lines(page: Page, path: Path, lines: list[str], first: int) -> None:
    text: list[str] = []
    position = 0
    while position < len(lines):
        line, number = lines[position], first + position
        include, cell = INCLUDE.match(line), CELL_START.match(line)
        if include or cell:
            page.parts.append("\n".join(text))
            text = []
        if include:
            _include(page, path.parent / include.group(1), path, number)
        elif cell:
            position = _read_cell(page, path, lines, position, first, cell.group(1))
        else:
            _check_line(path, number, line)
            text.append(line)
        position += 1
    page.parts.append("\n".join(text))


def _include(page: Page, target: Path, path: Path, number: int) -> None:
    if not target.exists():
        raise MissingPath(target, f"correct the include in {path}:{number}")
    _read_lines(page, target, target.read_text(encoding="utf-8").splitlines(), 1)


def _read_cell(page: Page, path: Path, lines: list[str], start: int, first: int, language: str) -> int:
    """Append the cell that opens at `start`; return the position of its closing fence."""
    if language != "python":
        raise UnknownConstruct(path, first + start, f"cells in {language}")
    end = next((i for i in range(start + 1, len(lines)) if lines[i].rstrip() == "```"), None)
    if end is None:
        raise UnknownConstruct(path, first + start, "a cell without an end")
    body = lines[start + 1 : end]
    option_lines = [line[2:] for line in body if line.startswith("#|")]
    options = yaml.safe_load("\n".join(option_lines)) or {}
    for name in options:
        if name not in CELL_OPTIONS:
            raise UnknownConstruct(path, first + start, f"the cell option '{name}'")
    code = "\n".join(line for line in body if not line.startswith("#|"))
    page.parts.append(Cell(options, code, path, first + start))
    return end


def _check_line(path: Path, number: int, line: str) -> None:
    """Refuse what would come out wrong: other shortcodes, cells by other fences, unknown div classes."""
    if "{{<" in line:
        raise UnknownConstruct(path, number, f"the shortcode {line.strip()}")
    if re.match(r"^~~~+\s*\{|^````+\s*\{", line):
        raise UnknownConstruct(path, number, "cells with such a fence")
    div = DIV_START.match(line)
    if div:
        for name in re.findall(r"(?:^|\s)\.([\w-]+)", div.group(1)):
            if name not in DIV_CLASSES:
                raise UnknownConstruct(path, number, f"the div class '{name}'")
