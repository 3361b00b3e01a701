"""The dark look of a drawing, as rules within its SVG: a browser follows them on a dark page, and paper knows nothing of them.

WebKit tells a picture nothing of its page's scheme. There a page has to ask for the look, by the name of the drawing's root.
"""

import re

from report.style import CHOSEN_COLOUR, GRID, INK, LEGEND_EDGE, LESION_COLOUR, NOT_TRIED

# What the page itself is made of: `--ground`, `--ink` and `--line` of its style sheet.
GROUND, LIGHT_INK, LINE = "#15181d", "#e4e7eb", "#343a44"
PARTS = {INK: LIGHT_INK, GRID: LINE, LEGEND_EDGE: LINE, NOT_TRIED: LINE}
# Any other colour is that of a curve, a mark or a bar, and gets as much lighter as the explorers' curves do.
LIGHTER = "color-mix(in oklab,{colour},white 35%)"
# What stands on pictures stays, as they do. White becomes the page's ground where it is paper, by the ids that matplotlib gives.
KEPT = {"#000000", "#ffffff", LESION_COLOUR, CHOSEN_COLOUR}
PAPER = {"patch": "fill", "line2d": "fill", "LineCollection": "stroke"}
COLOURED = re.compile(r"(fill|stroke): (#[0-9a-f]{6})")
STYLES_END = "</style>"
ASKED_FOR = "dark"  # figure.svg#dark


def with_dark_look(svg: str) -> str:
    """A drawing by matplotlib that looks as before where the page is light, and like the page where that is dark."""
    rules = [f'[id^="{kind}"] {_rule(part, "#ffffff", GROUND)}' for kind, part in PAPER.items()]
    rules += [_rule(part, colour, PARTS.get(colour, LIGHTER.format(colour=colour)))
              for part, colour in sorted(set(COLOURED.findall(svg))) if colour not in KEPT]
    look = "".join(rules)
    styles = f"@media (prefers-color-scheme:dark){{{look}}}@media screen{{svg:target{{{look}}}}}"
    return svg.replace("<svg ", f'<svg id="{ASKED_FOR}" ', 1).replace(STYLES_END, f"{styles}{STYLES_END}", 1)


def _rule(part: str, colour: str, dark: str) -> str:
    """Takes another colour for a part, `fill` or `stroke`, of all that has this one there."""
    return f'[style*="{part}: {colour}"]{{{part}:{dark}!important}}'
