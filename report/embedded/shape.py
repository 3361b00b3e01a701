"""Gives figures, tables, callouts, equations and conditional parts the shape each output format needs."""

import html
import json

from report.dark import ASKED_FOR
from report.embedded.assemble import FIGURE_CLASS, TABLE_CLASS
from report.embedded.crossref import Numbers
from report.embedded.tree import node, rewrite

CALLOUTS = ("callout-note", "callout-warning", "callout-tip")
FORMAT_NAMES = {"html": {"html"}, "typst": {"typst", "pdf"}}


def shape(tree: dict, numbers: Numbers, format_name: str) -> dict:
    """A copy of `tree` for `html` or `typst`."""
    shapers = {"html": (_html_figure, _html_callout, _html_equation), "typst": (_typst_figure, _typst_callout, _typst_equation)}
    figure, callout, equation = shapers[format_name]

    def change(item: dict):
        if item["t"] == "Span" and "equation" in item["c"][0][1]:
            return equation(item, numbers)
        if item["t"] == "Span" and "below" in item["c"][0][1] and format_name == "typst":
            return _unbroken(item)
        if item["t"] != "Div":
            return None
        classes = item["c"][0][1]
        if FIGURE_CLASS in classes:
            return figure(item)
        if TABLE_CLASS in classes:
            return _wrap(_table(item)) if format_name == "html" else _table(item)
        if "content-visible" in classes:
            wanted = dict(item["c"][0][2]).get("when-format")
            return item["c"][1] if wanted in FORMAT_NAMES[format_name] else []
        if set(classes) & set(CALLOUTS):
            return callout(item)
        return None

    return {**tree, "blocks": rewrite(json.loads(json.dumps(tree["blocks"])), change)}


def _table(item: dict) -> dict:
    """Move label and caption from the div to the table in it."""
    label, (caption, table) = item["c"][0][0], item["c"][1]
    table["c"][0][0] = label
    table["c"][1] = [None, [node("Plain", caption["c"])]]
    return table


def _wrap(table: dict) -> dict:
    """On a narrow screen a wide table scrolls within its wrapper, reachable by keyboard."""
    return node("Div", [["", ["table-wrap"], [["tabindex", "0"]]], [table]])


def _html_figure(item: dict) -> dict:
    (label, _, attributes), (caption,) = item["c"]
    given = dict(attributes)
    shown = ["", [], [["loading", "lazy"], ["style", f"width: {given['width']}%; aspect-ratio: {given['ratio']}"]]]
    image = node("Image", [shown, [node("Str", html.unescape(given["alt"]))], [f"figures/{label}.svg", ""]])
    source = f'<source media="screen and (prefers-color-scheme: dark)" srcset="figures/{label}.svg#{ASKED_FOR}">'
    picture = [node("RawInline", ["html", f"<picture>{source}"]), image, node("RawInline", ["html", "</picture>"])]
    zoom = node("Link", [["", ["zoom"], []], picture, [f"figures/{label}.svg", ""]])
    return node("Figure", [[label, [], []], [None, [node("Plain", caption["c"])]], [node("Plain", [zoom])]])


def _html_callout(item: dict) -> dict:
    return node("Div", [["", ["callout", *item["c"][0][1]], [["role", "note"]]], item["c"][1]])


def _html_equation(item: dict, numbers: Numbers) -> dict:
    number = node("Span", [["", ["equation-number"], []], [node("Str", f"({numbers.number[item['c'][0][0]]})")]])
    return node("Span", [item["c"][0], [*item["c"][1], number]])


def typst_string(text: str) -> str:
    """A Typst string literal."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _typst(code: str) -> dict:
    return node("RawBlock", ["typst", code])


def _typst_figure(item: dict) -> list[dict]:
    (label, _, attributes), (caption,) = item["c"]
    alt = typst_string(html.unescape(dict(attributes)["alt"]))
    opening = f'#figure(image("figures/{label}.svg", alt: {alt}), kind: image, caption: ['
    return [_typst(opening), node("Plain", caption["c"]), _typst(f"]) <{label}>")]


def _typst_callout(item: dict) -> list[dict]:
    return [_typst("#callout["), *item["c"][1], _typst("]")]


def _unbroken(item: dict) -> list[dict]:
    """A range that goes to the next line whole, if at all."""
    return [node("RawInline", ["typst", "#box["]), *item["c"][1], node("RawInline", ["typst", "]"])]


def _typst_equation(item: dict, numbers: Numbers) -> list[dict]:
    return [item["c"][1][0], node("RawInline", ["typst", f" <{item['c'][0][0]}>"])]
