"""The dark look within a drawing."""

import re

import pytest
from matplotlib import pyplot
from matplotlib.colors import to_hex

from report.dark import GROUND, LIGHT_INK, LIGHTER, LINE, with_dark_look
from report.figures.registry import FIGURES
from report.style import CHOSEN_COLOUR, GRID, INK, LEGEND_EDGE, LESION_COLOUR, MODEL_COLOURS, NOT_TRIED, study_style
from tests.long_runs import ROOT

COLOUR = re.compile(r"#[0-9a-f]{6}")


def rules_of(svg: str) -> dict[str, str]:
    """What a dark page makes of each style that a drawing tells of, by selector."""
    told = re.search(r"@media \(prefers-color-scheme:dark\)\{(.*?\})\}@media screen\{svg:target\{(.*?\})\}\}</style>", svg)
    dark, asked_for = told.groups()
    assert dark == asked_for
    return dict(re.findall(r"([^{}]+)\{([^{}]+)!important\}", dark))


def test_each_colour_is_told_once_and_only_after_the_drawings_own_style():
    svg = ('<svg width="9"><style type="text/css">*{x}</style><g id="patch_1"><path style="fill: #ffffff"/></g>'
           '<g style="fill: #1b1e23; stroke: #0072b2"><path style="fill: none; stroke: #0072b2"/>'
           '<path style="fill: #000000; stroke: #c2185b"/></g></svg>')
    dark = with_dark_look(svg)
    assert dark.replace(re.search(r"@media.*(?=</style>)", dark)[0], "").replace(' id="dark"', "") == svg and "*{x}@media" in dark
    assert list(rules_of(dark).items()) == [
        ('[id^="patch"] [style*="fill: #ffffff"]', f"fill:{GROUND}"), ('[id^="line2d"] [style*="fill: #ffffff"]', f"fill:{GROUND}"),
        ('[id^="LineCollection"] [style*="stroke: #ffffff"]', f"stroke:{GROUND}"),
        ('[style*="fill: #1b1e23"]', f"fill:{LIGHT_INK}"),
        ('[style*="stroke: #0072b2"]', "stroke:color-mix(in oklab,#0072b2,white 35%)")]


@pytest.mark.parametrize("identifier", FIGURES)
def test_every_colour_of_every_figure_has_its_place_in_the_dark(tiny, identifier):
    svg = (tiny / "site" / "report" / "en" / "figures" / f"{identifier}.svg").read_text(encoding="utf-8")
    rules, drawing = rules_of(svg), svg.split("</style>", 1)[1]
    for part, colour in re.findall(r"(fill|stroke): (#[0-9a-f]{6})", drawing):
        assert colour in ("#000000", "#ffffff", LESION_COLOUR, CHOSEN_COLOUR) or f'[style*="{part}: {colour}"]' in rules
    # Black letters tell no style; only those on pictures are black.
    black_letters = re.search(r'<g id="text_\d+">\n<g(?! style)', drawing)
    assert bool(black_letters) == (identifier in ("fig-confusion", "fig-grid-loss", "fig-grid-auc"))


def test_roles_are_told_from_the_colours_of_curves_and_agree_with_the_pages():
    roles = [INK, GRID, LEGEND_EDGE, NOT_TRIED, LESION_COLOUR, CHOSEN_COLOUR]
    assert len(set(roles)) == len(roles) and not set(roles) & {colour.lower() for colour in MODEL_COLOURS.values()}
    assert all(COLOUR.fullmatch(colour) for colour in [*roles, GROUND, LIGHT_INK, LINE])
    with study_style():
        inked = ("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color")
        expected = {**dict.fromkeys(inked, INK), "grid.color": GRID, "legend.edgecolor": LEGEND_EDGE}
        assert {name: to_hex(pyplot.rcParams[name]) for name in expected} == expected
    page = (ROOT / "templates" / "page" / "style.css").read_text(encoding="utf-8")
    light, dark = (dict(re.findall(r"--(\w+): (#[0-9a-f]{6})", root)) for root in re.findall(r":root \{(.*?)\}", page, re.S)[:2])
    assert (light["ground"], light["ink"]) == ("#ffffff", INK)
    assert (dark["ground"], dark["ink"], dark["line"]) == (GROUND, LIGHT_INK, LINE)
    explorers = (ROOT / "templates" / "explorers" / "explorers.css").read_text(encoding="utf-8")
    assert explorers.count(LIGHTER.format(colour=" var(--series)").replace(",white", ", white")) == 2
    assert f"$body-bg: {GROUND};" in (ROOT / "report" / "dark.scss").read_text(encoding="utf-8")
