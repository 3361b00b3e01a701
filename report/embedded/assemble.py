"""From a page and what its cells gave to one Markdown text and a folder of figures."""

import re
from dataclasses import dataclass

from report.embedded.execute import Executed
from report.embedded.source import INLINE, Cell, Page
from report.errors import UnknownConstruct

# Width of the text on an A4 page, points; a figure takes the share of the column that it takes of the page.
TEXT_WIDTH = 453.6
FIGURE_CLASS, TABLE_CLASS = "cell-figure", "cell-table"


@dataclass(frozen=True)
class Assembled:
    """markdown: the page as Pandoc reads it; figures: SVG text by file name."""

    markdown: str
    figures: dict[str, str]


def assemble(page: Page, executed: Executed) -> Assembled:
    """Put each output in the place of its cell: figures and tables as divs that carry label, caption and alt text."""
    outputs = iter(executed.outputs)
    figures: dict[str, str] = {}
    parts = []
    for part in page.parts:
        if isinstance(part, str):
            parts.append(INLINE.sub(lambda match: executed.inline[match.group(1).strip()], part))
        else:
            parts.append(_place(part, next(outputs), figures))
    return Assembled("\n\n".join(parts), figures)


def _place(cell: Cell, bundle: dict[str, str], figures: dict[str, str]) -> str:
    if not bundle:
        return ""
    label = cell.options.get("label", "")
    if "image/svg+xml" in bundle and label.startswith("fig-"):
        figures[f"{label}.svg"] = bundle["image/svg+xml"]
        alt = cell.options["fig-alt"].replace('"', "&quot;")
        width, height = svg_size(bundle["image/svg+xml"])
        share = round(min(100.0, 100 * width / TEXT_WIDTH))
        given = f'alt="{alt}" width="{share}" ratio="{width:.0f} / {height:.0f}"'
        return f"::: {{#{label} .{FIGURE_CLASS} {given}}}\n{cell.options['fig-cap']}\n:::"
    if "text/markdown" in bundle and label.startswith("tbl-"):
        return f"::: {{#{label} .{TABLE_CLASS}}}\n{cell.options['tbl-cap']}\n\n{bundle['text/markdown']}\n:::"
    if "text/markdown" in bundle and not label:
        return bundle["text/markdown"]
    raise UnknownConstruct(cell.path, cell.line, f"a cell with label '{label}' that shows {', '.join(sorted(bundle))}")


def svg_size(svg: str) -> tuple[float, float]:
    """Width and height of an SVG in points, from its opening tag."""
    opening = svg[svg.index("<svg") :].partition(">")[0]
    width, height = (re.search(rf'\b{name}="([\d.]+)pt"', opening) for name in ("width", "height"))
    return (float(width.group(1)), float(height.group(1))) if width and height else (TEXT_WIDTH, TEXT_WIDTH)
