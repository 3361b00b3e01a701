"""What a real browser makes of drawings: as before when they are compact, dark on a dark page, light on paper."""

import io

import numpy as np
from matplotlib import pyplot
from PIL import Image

from report.compact import compact
from report.dark import GROUND, with_dark_look
from report.style import LABEL_COLOURS, MODEL_COLOURS, contrast
from tests.browsing import in_browser

pytestmark = in_browser


def test_a_compact_drawing_looks_as_it_did(chromium, rng):
    figure, axes = pyplot.subplots(figsize=(4, 3))
    axes.plot(rng.random(40), rng.random(40), "^", color="#D55E00", alpha=0.8, label="š 1,5")
    axes.plot(rng.random(40), rng.random(40), "o", markerfacecolor="none")
    axes.fill_between([0, 1], [0.2, 0.3], [0.5, 0.7], alpha=0.3)
    axes.legend()
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg")
    before, after = buffer.getvalue(), compact(buffer.getvalue())
    assert len(after) < 0.8 * len(before)
    seen = [photograph(chromium, svg) for svg in (before, after)]
    assert seen[0].min() < 100  # there is something to see
    different = np.abs(seen[0] - seen[1])
    assert different.mean() < 0.05 and (different > 40).mean() < 1e-3


def photograph(chromium, svg: str) -> np.ndarray:
    """Pixels of a drawing as the browser shows it, int (y, x, 3)."""
    page = chromium.new_page(viewport={"width": 400, "height": 300})
    page.set_content(f"<body style='margin:0'>{svg[svg.index('<svg') :]}</body>")
    pixels = pixels_of(page.screenshot())
    page.close()
    return pixels


def pixels_of(screenshot: bytes) -> np.ndarray:
    """Of a PNG, int (y, x, 3)."""
    return np.asarray(Image.open(io.BytesIO(screenshot)).convert("RGB")).astype(int)


def test_figures_are_dark_on_a_dark_page_but_for_what_they_picture(visit):
    shown = {}
    for scheme in ("light", "dark"):
        page = visit("en", scheme=scheme)
        for figure in ("fig-roc", "fig-confusion"):
            image = page.locator(f"#{figure} img")
            image.scroll_into_view_if_needed()
            image.evaluate("image => image.decode()")
            shown[scheme, figure] = pixels_of(image.screenshot())
    for figure in ("fig-roc", "fig-confusion"):
        assert (shown["light", figure][10, 10] == 255).all()
        assert shown["dark", figure][10, 10].tolist() == [int(GROUND[start : start + 2], 16) for start in (1, 3, 5)]
    lightness = {key: np.median(pixels.mean(axis=2)) for key, pixels in shown.items()}
    assert lightness["light", "fig-roc"] > 240 and lightness["dark", "fig-roc"] < 30
    bluish = [pixels[..., 2] - pixels[..., 0] > 40 for pixels in (shown["light", "fig-confusion"], shown["dark", "fig-confusion"])]
    both = bluish[0] & bluish[1]  # the cells, which are pictures
    assert both.mean() > 0.2
    assert (shown["light", "fig-confusion"][both] == shown["dark", "fig-confusion"][both]).all(axis=1).mean() > 0.95


def test_a_dark_page_asks_its_figures_to_be_dark_since_webkit_would_not_tell_them(visit):
    asked = "document.querySelector('#fig-roc img').currentSrc.split('/').at(-1)"
    page = visit("en", scheme="dark")
    page.locator("#fig-roc img").scroll_into_view_if_needed()
    page.wait_for_function(f"{asked} === 'fig-roc.svg#dark'")
    page.locator("#fig-roc a.zoom").click()
    assert page.locator("dialog img").get_attribute("src").endswith("fig-roc.svg#dark")
    page.emulate_media(media="print", color_scheme="dark")
    page.wait_for_function(f"{asked} === 'fig-roc.svg'")
    light = visit("en")
    image = light.locator("#fig-roc img")
    image.scroll_into_view_if_needed()
    light.wait_for_function(f"{asked} === 'fig-roc.svg'")
    image.evaluate("image => { image.src += '#dark'; return image.decode(); }")
    assert np.median(pixels_of(image.screenshot())) < 30


def test_lines_stand_out_from_a_dark_ground(chromium):
    """A contrast of 3 to 1, which WCAG 2.2 asks of graphics (1.4.11)."""
    page = chromium.new_page(viewport={"width": 200, "height": 100}, color_scheme="dark")
    for colour in {*MODEL_COLOURS.values(), *LABEL_COLOURS.values()}:
        line = f'style="fill: {colour.lower()}"'
        page.set_content(f'{with_dark_look(f"<style></style><!-- {line} -->")}<style>body {{ margin: 0; background: {GROUND} }}</style>'
                         f'<svg width="9" height="9"><rect width="9" height="9" {line}/></svg>')
        pixels = pixels_of(page.screenshot())
        assert contrast(pixels[4, 4] / 255, pixels[-5, -5] / 255) > 3, colour
    page.close()


def test_paper_is_light_where_the_screen_is_dark(visit):
    page = visit("en", scheme="dark")
    of_body = "[getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).color]"
    screen = page.evaluate(of_body)
    page.emulate_media(media="print", color_scheme="dark")
    paper = page.evaluate(of_body)
    assert screen == ["rgb(21, 24, 29)", "rgb(228, 231, 235)"] and paper == ["rgb(255, 255, 255)", "rgb(27, 30, 35)"]
