"""The site in a real browser: no error, no other host, living links, accessible in light and dark, on every width."""

from importlib.resources import files

import pytest

from tests.browsing import LANGUAGES, in_browser

pytestmark = in_browser
PAGES = [*((language, "index.html") for language in (*LANGUAGES, "")), ("code", "figures-roc.html")]
MEGABYTES = 3_000_000


@pytest.mark.parametrize("language", [*LANGUAGES, ""])
def test_nothing_complains_nothing_leaves_and_every_picture_loads(visit, language):
    page = visit(language, first=True)
    page.evaluate("document.querySelectorAll('img').forEach((image) => { image.loading = 'eager'; })")
    page.wait_for_load_state("networkidle")
    page.wait_for_function("[...document.images].every((image) => image.complete)")
    assert page.evaluate("[...document.images].filter((image) => !image.naturalWidth).map((image) => image.src)") == []
    assert page.complaints == []
    assert [url for url in page.requests if not url.startswith(("file:", "data:"))] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_link_within_the_site_is_alive(visit, tiny, language):
    page = visit(language)
    dead = page.evaluate("""[...document.querySelectorAll('a[href^="#"]')].map((link) => link.getAttribute('href'))
        .filter((target) => target !== '#' && !document.getElementById(target.slice(1)))""")
    assert dead == []
    folder = tiny / "site" / "report" / language
    for link in page.evaluate("[...document.querySelectorAll('a[href]')].map((link) => link.getAttribute('href'))"):
        if not link.startswith(("#", "http:", "https:")):
            path, _, anchor = link.partition("#")
            assert (folder / path).exists(), link
            if path.endswith(".html") and anchor.startswith("line-"):
                assert f'id="{anchor}"' in (folder / path).read_text(encoding="utf-8")


@pytest.mark.parametrize(("language", "other"), [("sl", "en"), ("en", "sl")])
def test_the_language_switch_keeps_place_and_explorers(visit, language, other):
    page = visit(language)
    page.locator("#explore-threshold [data-criterion=gmean]").click()
    query = page.evaluate("location.search")
    page.evaluate("document.getElementById('fig-confusion').scrollIntoView()")
    box = page.locator(f"a[hreflang={other}]").first.bounding_box()
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)  # click() would scroll the page on the way
    page.wait_for_url(f"**/{other}/index.html**")
    assert page.evaluate("document.documentElement.lang") == other
    assert page.evaluate("location.hash") == "#fig-confusion"
    assert page.evaluate("location.search") == query
    assert abs(page.evaluate("document.getElementById('fig-confusion').getBoundingClientRect().top")) < 200


def violations(page) -> list[str]:
    """What axe finds against WCAG 2.2 AA."""
    if page.evaluate("typeof axe === 'undefined'"):
        page.add_script_tag(content=(files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8"))
    rules = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
    found = page.evaluate("(rules) => axe.run(document, {resultTypes: ['violations'], runOnly: rules})", rules)
    return [f"{rule['id']}: {node['target']} {node['failureSummary']}" for rule in found["violations"] for node in rule["nodes"]]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("folder", "name"), PAGES)
def test_wcag_2_2_aa(visit, folder, name, scheme):
    assert violations(visit(folder, scheme=scheme, name=name)) == []


@pytest.mark.parametrize("width", [360, 1440])
def test_wcag_2_2_aa_of_what_opens_over_a_page(visit, width):
    page = visit("sl", width=width)
    page.locator("#fig-roc a.zoom").click()
    assert page.locator("dialog[open]").is_visible() and violations(page) == []
    page.keyboard.press("Escape")
    page.locator("main a[href='#fig-roc']").first.focus()
    assert page.locator("#preview").is_visible() and violations(page) == []


@pytest.mark.parametrize("width", [320, 360, 768, 1440])
@pytest.mark.parametrize(("folder", "name"), PAGES)
def test_no_width_scrolls_sideways(visit, folder, name, width):
    """Neither does one with text set as far apart as WCAG 2.2 wants it borne (1.4.10 and 1.4.12)."""
    page = visit(folder, width=width, name=name)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.add_style_tag(content="* { line-height: 1.5 !important; letter-spacing: 0.12em !important; word-spacing: 0.16em !important }")
    assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("width", [360, 1440])
@pytest.mark.parametrize("language", LANGUAGES)
def test_a_caption_is_as_wide_as_reads_well_and_never_wider_than_its_place(visit, language, width):
    page = visit(language, width=width)
    page.add_style_tag(content="body { margin-right: 15px }")  # what a scroll bar takes
    widths = page.evaluate("""[...document.querySelectorAll('table[id] caption')]
        .map((caption) => [caption.offsetWidth, caption.closest('div').clientWidth])""")
    assert widths and all(min(544, place) <= one <= place for one, place in widths)


def test_no_option_of_a_command_is_broken(visit):
    page = visit("en", width=360)
    options = page.locator("main code span.option")
    assert {"--seeds", "--folds", "-m"} <= set(options.all_inner_texts())
    for width in range(300, 700, 20):
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("[...document.querySelectorAll('main .option')].every((one) => one.getClientRects().length === 1)"), width


def test_on_a_phone_the_contents_wait_above_the_title_until_they_are_asked_for(visit):
    page = visit("sl", width=360)
    assert not page.is_visible(".contents a") and page.locator("h1").first.bounding_box()["y"] < 200
    page.focus(".contents summary")
    page.keyboard.press("Enter")
    assert page.is_visible(".contents a")
    assert visit("sl").is_visible(".contents a")


@pytest.mark.parametrize("width", [360, 1440])
def test_a_figure_opens_larger_and_closes_by_keyboard(visit, width):
    page = visit("en", width=width)
    figure = page.locator("#fig-lr-dnn img")
    figure.click()
    opened = page.locator("dialog[open] img")
    opened.evaluate("image => image.decode()")
    assert opened.bounding_box()["width"] > 1.1 * figure.bounding_box()["width"]
    close = page.locator("dialog[open] button").bounding_box()
    assert 0 <= close["x"] and close["x"] + close["width"] <= width and close["y"] >= 0
    assert page.evaluate("document.documentElement.scrollWidth") <= width  # what does not fit scrolls within its frame
    page.keyboard.press("Escape")
    assert page.locator("dialog[open]").count() == 0


def test_a_citation_shows_its_source_and_a_reference_its_figure_by_mouse_and_by_keyboard(visit):
    page = visit("sl")
    preview = page.locator("#preview")
    citation = page.locator("main a[href='#ref-kubat1997']").first
    citation.hover()
    assert "Kubat, Miroslav" in preview.inner_text()
    shown, cited = preview.bounding_box(), citation.bounding_box()
    assert min(abs(shown["y"] - cited["y"] - cited["height"]), abs(shown["y"] + shown["height"] - cited["y"])) < 10  # below or above
    preview.hover()  # it stays while the pointer is on it
    page.wait_for_timeout(400)
    assert preview.is_visible()
    page.keyboard.press("Escape")
    assert not preview.is_visible()
    reference = page.locator("main a[href='#fig-roc']").first
    reference.focus()
    assert preview.inner_text() == page.locator("#fig-roc figcaption").inner_text() and preview.locator("img").count() == 1
    assert reference.get_attribute("aria-describedby") == "preview"
    box = preview.bounding_box()
    assert box["x"] >= 0 and box["x"] + box["width"] <= 1440
    page.locator("main a[href='#tbl-auc']").first.focus()
    assert preview.inner_text() == page.locator("#tbl-auc caption").inner_text() and preview.locator("img").count() == 0
    page.locator("main a[href='#sec-resnet']").first.focus()
    assert not preview.is_visible()  # a section has nothing to show
    assert page.complaints == []


def test_on_a_phone_every_preview_stands_within_the_window(visit):
    page = visit("en", width=360)
    preview, shown = page.locator("#preview"), 0
    for link in page.locator("main a[href^='#ref-'], main a[href^='#fig-']").all()[::3]:
        link.focus()
        box = preview.bounding_box()
        assert box["x"] >= 0 and box["x"] + box["width"] <= 360
        shown += 1
    assert shown > 20


@pytest.mark.parametrize("language", LANGUAGES)
def test_without_scripts_the_page_is_whole_and_says_what_is_missing(visit, language):
    page = visit(language, java_script_enabled=False)
    assert page.locator("figure img").count() > 20
    assert page.locator(".explorer noscript").count() == 3 or page.locator(".explorer").count() == 3


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_page_is_light_and_quickly_usable(visit, tiny, language):
    folder = tiny / "site" / "report" / language
    weight = (folder / "index.html").stat().st_size + sum(path.stat().st_size for path in (folder / "figures").iterdir())
    assert weight < MEGABYTES
    page = visit(language, first=True)
    ready = page.evaluate("performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd")
    assert ready < 1000
