"""Numbers figures, tables, equations and sections, and turns references such as `@fig-roc` into links."""

import re
from dataclasses import dataclass, field

from report.embedded.assemble import FIGURE_CLASS, TABLE_CLASS
from report.embedded.tree import node, rewrite, text_of
from report.errors import BrokenReference

KINDS = ("fig", "tbl", "eq", "sec")
PREFIXES = {
    "en": {"fig": "Figure", "tbl": "Table", "eq": "Equation", "sec": "Section"},
    "sl": {"fig": "Slika", "tbl": "Tabela", "eq": "Enačba", "sec": "Razdelek"},
}
EQUATION_LABEL = re.compile(r"^\{#(eq-[\w-]+)\}$")


@dataclass
class Numbers:
    """number: by label, as text; headings: (level, label, number, text) in order, for the contents."""

    number: dict[str, str] = field(default_factory=dict)
    headings: list[tuple[int, str, str, str]] = field(default_factory=list)


def resolve(tree: dict, language: str, page: str) -> Numbers:
    """Number everything in `tree` and replace its references, in place. Raises BrokenReference."""
    numbers = Numbers()
    _label_equations(tree)
    _number(tree["blocks"], numbers)
    prefixes = PREFIXES[language]

    def link(item: dict):
        if item["t"] != "Cite" or item["c"][0][0]["citationId"].split("-")[0] not in KINDS:
            return None
        citation = item["c"][0][0]
        label = citation["citationId"]
        if label not in numbers.number:
            raise BrokenReference(page, label)
        kind = label.split("-")[0]
        bare = citation["citationMode"]["t"] == "SuppressAuthor"
        shown = numbers.number[label] if bare else f"{prefixes[kind]}\u00a0{numbers.number[label]}"
        return node("Link", [["", ["quarto-xref"], []], [node("Str", shown)], [f"#{label}", ""]])

    def caption(item: dict):
        if item["t"] == "Div" and {FIGURE_CLASS, TABLE_CLASS} & set(item["c"][0][1]):
            label = item["c"][0][0]
            first = item["c"][1][0]
            first["c"] = [node("Str", f"{prefixes[label.split('-')[0]]}\u00a0{numbers.number[label]}:"), node("Space"), *first["c"]]
        return None

    tree["blocks"] = rewrite(rewrite(tree["blocks"], link), caption)
    return numbers


def _label_equations(tree: dict) -> None:
    """Turn `$$...$$ {#eq-x}` into a span with that id around the equation."""

    def label(item: dict):
        if item["t"] != "Para":
            return None
        inlines = item["c"]
        for index, inline in enumerate(inlines):
            match = EQUATION_LABEL.match(inline["c"]) if inline["t"] == "Str" else None
            if match and index >= 2 and inlines[index - 2]["t"] == "Math":
                span = node("Span", [[match.group(1), ["equation"], []], [inlines[index - 2]]])
                item["c"] = [*inlines[: index - 2], span, *inlines[index + 1 :]]
                break
        return None

    tree["blocks"] = rewrite(tree["blocks"], label)


def _number(blocks: list, numbers: Numbers) -> None:
    counts = dict.fromkeys(("fig", "tbl", "eq"), 0)
    section = [0, 0, 0, 0, 0, 0]

    def visit(item) -> None:
        if isinstance(item, list):
            for child in item:
                visit(child)
        elif isinstance(item, dict):
            if item.get("t") == "Header":
                _number_heading(item, section, numbers)
            elif item.get("t") in ("Div", "Span") and (label := item["c"][0][0]).split("-")[0] in counts:
                counts[label.split("-")[0]] += 1
                numbers.number[label] = str(counts[label.split("-")[0]])
            visit(item.get("c", []))

    visit(blocks)


def _number_heading(item: dict, section: list[int], numbers: Numbers) -> None:
    level, (label, classes, _), inlines = item["c"]
    shown = ""
    if "unnumbered" not in classes:
        section[level - 1] += 1
        section[level:] = [0] * (len(section) - level)
        shown = ".".join(str(part) for part in section[:level])
        numbers.number[label] = shown
    numbers.headings.append((level, label, shown, text_of(inlines)))
