"""The site in a real browser: no error, no other host, living links, working explorers, accessible in light and dark."""

import csv
import io
import json
import math
import os
import shutil
from importlib.resources import files

import numpy as np
import pytest
from matplotlib import pyplot
from PIL import Image

from report.compact import compact
from report.dark import GROUND, with_dark_look
from report.style import LABEL_COLOURS, MODEL_COLOURS, contrast
from tests.long_runs import ROOT

CHROMIUM = next((found for name in ("chromium", "chromium-browser", "google-chrome", "chrome") if (found := shutil.which(name))), None)
REQUIRED = os.environ.get("STUDY_TEST_BROWSER") == "required"  # set where the browser tests must not be skipped
try:
    from playwright.sync_api import sync_playwright
except ImportError:
    sync_playwright = None
if not REQUIRED:
    pytestmark = pytest.mark.skipif(not (CHROMIUM and sync_playwright), reason="Chromium or the package playwright is not installed")

LANGUAGES = ("sl", "en")
PAGES = [*((language, "index.html") for language in (*LANGUAGES, "")), ("code", "figures-roc.html")]
MEGABYTES = 3_000_000


@pytest.fixture(scope="module")
def chromium():
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"])
        yield browser
        browser.close()


@pytest.fixture
def visit(chromium, tiny):
    """visit("sl", width=..., scheme=..., at="?query#hash") opens the page of a language, or another by its folder and name; its
    `complaints` and `requests` are kept."""
    contexts = []

    def open_page(language: str, width: int = 1440, scheme: str = "light", at: str = "", name: str = "index.html", **options):
        context = chromium.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme, **options)
        contexts.append(context)
        page = context.new_page()
        page.complaints, page.requests = [], []
        page.on("console", lambda message: page.complaints.append(message.text))
        page.on("pageerror", lambda error: page.complaints.append(str(error)))
        page.on("request", lambda request: page.requests.append(request.url))
        folder = tiny / "site" / (f"report/{language}" if language else "")
        page.goto(f"file://{folder}/{name}{at}")
        return page

    yield open_page
    for context in contexts:
        context.close()


def rows_of(study, model: str) -> list[dict]:
    return study.scores(model)


def counts_at(study, model: str, threshold: float) -> dict[str, int]:
    counts = dict.fromkeys(("tp", "fp", "fn", "tn"), 0)
    for row in rows_of(study, model):
        called = row["probability"] >= threshold
        counts[("tp" if row["label"] else "fp") if called else ("fn" if row["label"] else "tn")] += 1
    return counts


def shown_counts(page) -> dict[str, int]:
    return {name: int(page.locator(f"#explore-threshold [data-cell={name}]").inner_text().split()[0]) for name in ("tp", "fp", "fn", "tn")}


def shown_value(page, name: str) -> float:
    text = page.locator(f"#explore-threshold [data-value={name}]").inner_text()
    return math.nan if text == "–" else float(text.replace(",", ".").replace("−", "-"))


def set_slider(slider, value: float) -> None:
    slider.evaluate("(input, value) => { input.value = value; input.dispatchEvent(new Event('input', {bubbles: true})); }", value)


@pytest.mark.parametrize("language", [*LANGUAGES, ""])
def test_nothing_complains_nothing_leaves_and_every_picture_loads(visit, language):
    page = visit(language)
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


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_threshold_explorer_agrees_with_the_stored_numbers_at_ten_thresholds(visit, study, language):
    page = visit(language)
    section = page.locator("#explore-threshold")
    checked = 0
    for model in study.compared:
        section.locator("select").select_option(model)
        curve = study.roc(model)
        slider = section.locator("input[type=range]").first
        known = [float(value) for value in curve["threshold"]]
        for index in range(0, len(known), max(len(known) // 4, 1)):
            set_slider(slider, index)
            expected = counts_at(study, model, math.inf if math.isnan(known[index]) else known[index])
            assert shown_counts(page) == expected
            if not math.isnan(known[index]):
                shown = section.locator("output").first.inner_text()
                assert float(shown.replace(",", ".")) == pytest.approx(known[index], abs=6e-4)
            assert shown_value(page, "sensitivity") == pytest.approx(curve["tpr"][index], abs=6e-4)
            assert shown_value(page, "specificity") == pytest.approx(1 - curve["fpr"][index], abs=6e-4)
            checked += 1
    assert checked >= 10


def test_the_chosen_thresholds_give_the_stored_metrics_and_predictive_values_follow_the_prevalence(visit, study):
    page = visit("sl")
    section = page.locator("#explore-threshold")
    for model in study.compared:
        section.locator("select").select_option(model)
        for criterion in ("f1", "gmean"):
            section.locator(f"[data-criterion={criterion}]").click()
            stored = study.metrics(model)["at"][criterion]
            counts = shown_counts(page)
            assert counts == {name: study.confusion(model)[criterion][name] for name in counts}
            for name, key in (("f1", "f1"), ("gmean", "gmean"), ("sensitivity", "recall"), ("specificity", "specificity")):
                assert shown_value(page, name) == pytest.approx(stored[key], abs=6e-4)
            set_slider(section.locator("input[type=range]").nth(1), 20)
            hits, alarms = 0.2 * stored["recall"], 0.8 * (1 - stored["specificity"])
            if hits + alarms:
                assert shown_value(page, "ppv") == pytest.approx(hits / (hits + alarms), abs=6e-4)
            clear, missed = 0.8 * stored["specificity"], 0.2 * (1 - stored["recall"])
            if clear + missed:
                assert shown_value(page, "npv") == pytest.approx(clear / (clear + missed), abs=6e-4)
            threshold = study.thresholds(model)[criterion, "validation"]["threshold"]
            price = threshold / (1 - threshold)
            assert shown_value(page, "benefit") == pytest.approx(hits - alarms * price, abs=6e-4)
            assert shown_value(page, "benefit_all") == pytest.approx(0.2 - 0.8 * price, abs=6e-4)


def test_the_explorer_draws_the_stored_curve_with_its_choices_and_begins_at_the_prevalence_of_the_test_set(visit, study):
    page = visit("en")
    section = page.locator("#explore-threshold")
    severe = np.mean([row["label"] for row in rows_of(study, study.compared[0])])
    assert section.locator("output").nth(1).inner_text().replace("\u00a0", " ") == f"{100 * severe:.0f} %"
    assert section.locator("input[type=range]").nth(1).input_value() == f"{100 * severe:.0f}"
    for model in study.compared:
        section.locator("select").select_option(model)
        drawn = section.evaluate("""(section) => {
            const part = (name) => section.querySelector(`svg ${name}`);
            const numbers = (part, ...names) => names.map((name) => Number(part.getAttribute(name)));
            const cross = part("path.mark").getBBox();
            const ticks = [...section.querySelectorAll("svg line.grid")].filter((line) => line.nextElementSibling.textContent === "1.0");
            return {chance: numbers(part("line.chance"), "x1", "y1", "x2", "y2"), frame: ticks.map((line) => numbers(line, "x2", "y1")),
                curve: part("polyline.curve").getAttribute("points").split(" ").map((point) => point.split(",").map(Number)),
                f1: [cross.x + cross.width / 2, cross.y + cross.height / 2],
                gmean: numbers(part("circle.mark"), "cx", "cy"), handle: numbers(part("circle.handle"), "cx", "cy")};
        }""")
        origin, far = np.reshape(drawn["chance"], (2, 2))
        assert drawn["frame"] == [far.tolist()] * 2  # the lines of the ticks at 1 end where chance does

        def rates(points, origin=origin, far=far):
            return (np.array(points) - origin) / (far - origin)

        curve = study.roc(model)
        assert rates(drawn["curve"]) == pytest.approx(np.column_stack([curve["fpr"], curve["tpr"]]), abs=1e-6)
        for criterion in ("f1", "gmean"):
            chosen = study.thresholds(model)[criterion, "validation"]
            assert rates(drawn[criterion]) == pytest.approx([chosen["test_fpr"], chosen["test_tpr"]], abs=1e-6)
        assert drawn["handle"] == pytest.approx(drawn["f1"])  # where it begins


def test_nobody_called_severe_benefits_nobody_and_everybody_called_severe_has_the_benefit_of_all(visit):
    page = visit("en")
    slider = page.locator("#explore-threshold input[type=range]").first
    set_slider(slider, 0)
    assert shown_value(page, "benefit") == 0
    assert page.locator("#explore-threshold [data-value=benefit_all]").inner_text() == "–"  # no price stands for "above all"
    slider.focus()
    page.keyboard.press("End")
    assert shown_value(page, "benefit") == shown_value(page, "benefit_all")


def test_the_threshold_explorer_works_by_mouse_and_by_keyboard_and_keeps_its_state_in_the_link(visit, study):
    page = visit("en")
    assert page.evaluate("location.search") == ""
    plot = page.locator("#explore-threshold svg")
    plot.scroll_into_view_if_needed()
    box = plot.bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + box["height"] * 0.5)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.14, box["y"] + box["height"] * 0.88, steps=4)  # the lower left corner
    page.mouse.up()
    assert shown_counts(page)["fp"] == 0 and "threshold=" in page.url
    slider = page.locator("#explore-threshold input[type=range]").first
    slider.focus()
    page.keyboard.press("End")
    assert shown_counts(page)["tn"] == shown_counts(page)["fn"] == 0
    page.keyboard.press("ArrowLeft")
    expected = shown_counts(page)
    for control, shown in zip(page.locator("#explore-threshold input[type=range]").all(), page.locator("#explore-threshold output").all(),
                              strict=True):
        assert shown.inner_text() in control.get_attribute("aria-valuetext")  # which is what screen readers say
    again = visit("sl", at="?" + page.url.split("?")[1])
    assert shown_counts(again) == expected


def test_touch_moves_the_threshold(visit):
    page = visit("en", width=360, has_touch=True)
    plot = page.locator("#explore-threshold svg")
    plot.scroll_into_view_if_needed()
    box = plot.bounding_box()
    page.touchscreen.tap(box["x"] + box["width"] * 0.95, box["y"] + box["height"] * 0.04)  # the upper right corner
    assert shown_counts(page)["fn"] == 0


@pytest.mark.parametrize("language", LANGUAGES)
def test_patients_are_sorted_filtered_and_leafed_through(visit, study, language):
    page = visit(language)
    section = page.locator("#explore-patients")
    model = study.compared[1]
    section.locator("select").nth(0).select_option(model)
    rows = rows_of(study, model)
    people = section.locator("[data-patient]")
    order = [int(people.nth(i).get_attribute("data-patient")) for i in range(people.count())]
    assert order == sorted(range(len(rows)), key=lambda i: -rows[i]["probability"])
    threshold = study.thresholds(model)["f1", "validation"]["threshold"]
    counts = counts_at(study, model, threshold)
    for outcome in ("tp", "tn", "fp", "fn"):
        section.locator("select").nth(2).select_option(outcome)
        assert section.locator("select").nth(2).input_value() == outcome
        assert people.count() == counts[outcome]
        assert section.locator(f"option[value={outcome}]").inner_text().endswith(f"({counts[outcome]})")
        if not counts[outcome]:
            assert outcome.upper() in section.locator(".nobody").inner_text()
    section.locator("select").nth(2).select_option("all")
    for near, keys, reached in ((people.last, ("ArrowLeft", "ArrowRight", "ArrowRight"), people.last),
                                (people.first, ("ArrowLeft", "ArrowRight"), people.nth(1))):
        near.click()
        for key in keys:
            page.keyboard.press(key)
        assert reached.get_attribute("aria-checked") == "true"
    set_slider(section.locator("input[type=range]").first, 10)
    chosen = rows[order[1]]
    facts = section.locator(".facts").inner_text()
    for value in (chosen["probability"], chosen["slices"][9]):
        shown = f"{value:.3f}"
        assert (shown.replace(".", ",") if language == "sl" else shown) in facts
    assert chosen["id"] in facts and f"patient={chosen['id']}" in page.url
    page.wait_for_function("[...document.querySelectorAll('#explore-patients img')].every((image) => image.complete && image.naturalWidth)")
    assert section.locator("img").count() == 3  # slices, saliency, lesions
    set_slider(section.locator("input[type=range]").nth(1), 0)
    assert section.locator("img.saliency").evaluate("(image) => getComputedStyle(image).opacity") == "0"
    again = visit(language, at="?" + page.url.split("?")[1])
    assert again.locator("#explore-patients .facts").inner_text() == facts


def test_colours_that_tell_something_stay_where_people_have_colours_of_their_own(visit):
    seen = {}
    for forced in ("none", "active"):
        page = visit("en", forced_colors=forced)
        seen[forced] = page.evaluate("""['.people [data-patient]', '.legend .key'].map((part) =>
            [...document.querySelectorAll(`.explorer ${part}`)].map((one) => getComputedStyle(one).background))""")
        assert page.evaluate("matchMedia('(forced-colors: active)').matches") == (forced == "active")
    assert seen["active"] == seen["none"] and all(len(set(colours)) > 1 for colours in seen["none"])


def test_a_link_leads_to_any_patient_and_a_wrong_one_to_the_highest_score(visit, study):
    rows = rows_of(study, study.compared[0])
    highest = max(rows, key=lambda row: row["probability"])["id"]
    asked = {rows[0]["id"]: rows[0]["id"], rows[-1]["id"]: rows[-1]["id"], "nobody": highest}
    for given, shown in asked.items():
        page = visit("en", at=f"?patient={given}&slice=99&saliency=x&model=none")
        facts = page.locator("#explore-patients .facts").inner_text()
        assert facts.startswith(f"{shown}:") and f"Slice {len(rows[0]['slices'])} of" in facts and page.complaints == []


def test_dragging_over_a_scan_leafs_through_its_slices(visit, study):
    page = visit("en")
    section = page.locator("#explore-patients")
    slices = len(rows_of(study, study.compared[0])[0]["slices"])
    scan, shown = section.locator(".scan"), section.locator("output")
    assert shown.inner_text() == f"{slices // 2} / {slices}"
    scan.scroll_into_view_if_needed()
    box = scan.bounding_box()
    for start, end, expected in ((0.5, 0.99, slices), (0.9, 0.01, 1), (0.2, 0.2 + 1.1 / slices, 2)):
        page.mouse.move(box["x"] + start * box["width"], box["y"] + box["height"] / 2)
        page.mouse.down()
        page.mouse.move(box["x"] + end * box["width"], box["y"] + box["height"] / 2, steps=5)
        page.mouse.up()
        assert shown.inner_text() == f"{expected} / {slices}"
        moved = section.locator("img.slices").evaluate("(image) => image.style.transform")
        assert float(moved.split("(")[1].rstrip("%)")) == pytest.approx(-100 * (expected - 1) / slices)
    page.mouse.move(box["x"], box["y"])
    assert shown.inner_text() == f"2 / {slices}"  # nothing moves without a button


def test_of_many_patients_the_chosen_one_is_in_sight(visit):
    page = visit("en")
    page.add_style_tag(content="#explore-patients .people { width: 40px; max-height: 40px }")  # room for one
    section = page.locator("#explore-patients")
    section.locator("[data-patient]").last.click()
    place = page.evaluate("scrollY")
    section.locator("select").nth(0).select_option(index=2)
    inside = """(square) => {
        const [box, list] = [square, square.parentElement].map((part) => part.getBoundingClientRect());
        return box.top >= list.top && box.bottom <= list.bottom;
    }"""
    assert section.locator("[data-patient][aria-checked=true]").evaluate(inside)
    assert not section.locator("[data-patient][aria-checked=false]").first.evaluate(inside)
    assert page.evaluate("scrollY") == place  # only the list has scrolled


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_hovered_trial_shows_its_values(visit, study, language):
    page = visit(language)
    section = page.locator("#explore-tuning")
    section.locator("select").nth(0).select_option("CNN1")
    phase = study.phases("CNN1")["lr"]
    keys = section.locator(".legend button")
    assert keys.count() == len(phase.values)
    keys.first.focus()
    for index, trial in enumerate(phase.trials):
        if index:
            page.keyboard.press("ArrowRight")
        facts = section.locator(".facts").inner_text()
        for value in (trial.auc[-1], trial.loss[-1]):
            shown = f"{value:.3f}"
            assert (shown.replace(".", ",") if language == "sl" else shown) in facts
        assert "undefined" not in facts
        assert keys.nth(index).get_attribute("aria-checked") == "true"
        assert [key.get_attribute("tabindex") for key in keys.all()] == ["0" if place == index else "-1" for place in range(keys.count())]
    losses = section.locator("svg").nth(1)
    losses.scroll_into_view_if_needed()
    points = losses.locator(".trial circle")
    places = [points.nth(index).bounding_box() for index in range(points.count())]
    for box in places:
        page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        active = losses.locator(".trial.active circle").first.bounding_box()
        assert active["y"] == pytest.approx(box["y"], abs=1)
    assert len({round(box["y"]) for box in places}) > 1
    again = visit(language, at="?" + page.url.split("?")[1])
    assert again.locator("#explore-tuning .facts").inner_text() == section.locator(".facts").inner_text()


def test_the_curves_of_a_search_are_the_stored_ones_by_the_labels_of_their_axes(visit, study):
    page = visit("en")
    section = page.locator("#explore-tuning")
    section.locator("select").nth(0).select_option("CNN2")
    section.locator("select").nth(1).select_option("wd")
    trials = study.phases("CNN2")["wd"].trials
    for place, quantity in enumerate(("auc", "loss")):
        drawn = section.locator("svg").nth(place).evaluate("""(svg) => {
            const ticks = (across) => [...svg.querySelectorAll("line.grid")]
                .filter((line) => (line.getAttribute("x1") === line.getAttribute("x2")) === across)
                .map((line) => [Number(line.nextElementSibling.textContent), Number(line.getAttribute(across ? "x1" : "y1"))]);
            const numbers = (circle) => [Number(circle.getAttribute("cx")), Number(circle.getAttribute("cy"))];
            const ends = [...svg.querySelectorAll("line.grid")]
                .map((line) => ["x1", "x2", "y1", "y2"].map((end) => Number(line.getAttribute(end))));
            return {ends, x: ticks(true), y: ticks(false), points: [...svg.querySelectorAll(".trial circle")].map(numbers)};
        }""")
        epochs = {at: value for value, at in drawn["x"]}
        values, heights = np.transpose(drawn["y"])
        seen = sorted((epochs[x], np.polyval(np.polyfit(heights, values, 1), y)) for x, y in drawn["points"])
        stored = sorted(pair for trial in trials for pair in zip(trial.epochs, getattr(trial, quantity), strict=True))
        assert len(heights) > 2 and len(seen) == len(trials) * len(epochs)
        left, right, top, bottom = (edge(of) for edge, of in zip((min, max, min, max), np.transpose(drawn["ends"]), strict=True))
        assert top < min(heights) and max(heights) < bottom
        assert list(epochs) == [(left + right) / 2]  # a single epoch stands in the middle
        assert np.array(seen) == pytest.approx(np.array(stored), abs=1e-5)


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
    page = visit(language)
    ready = page.evaluate("performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd")
    assert ready < 1000


def test_a_patient_id_with_html_in_it_stays_text(chromium, study, tmp_path, monkeypatch):
    from report.explorers import EXPLORERS, explorer, scripts
    from report.study import Study
    from report.words import Words

    evil = "</script><img src=x onerror=\"document.title='broken'\">"
    plain = Study.scores
    monkeypatch.setattr(Study, "scores", lambda self, model, split="test": [row | {"id": evil} for row in plain(self, model, split)])
    words = Words("en")
    parts = [explorer(name, words).markdown for name in EXPLORERS] + [scripts(study, words).markdown]
    body = "\n".join(line for part in parts for line in part.splitlines() if not line.startswith("````"))
    (tmp_path / "page.html").write_text(f"<!DOCTYPE html><html lang='en'><title>whole</title><main>{body}</main></html>", encoding="utf-8")
    page = chromium.new_page()
    page.goto(f"file://{tmp_path}/page.html")
    assert evil in page.locator("#explore-patients .facts").inner_text()
    assert page.title() == "whole"
    page.close()


def test_every_figure_and_table_has_its_data_and_they_are_the_stored_ones(tiny, study):
    from report.behind import NESTED, ROWS
    from report.figures.registry import FIGURES
    from report.tables import TABLES

    assert set(ROWS) | set(NESTED) == set(FIGURES) | set(TABLES)
    folder = tiny / "site" / "report" / "data"
    with (folder / "fig-metrics.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [(row["tested"], row["model"], row["criterion"]) for row in rows] == [
        (tested, model, name) for tested in ("test set", "elsewhere") for model in study.compared for name in ("f1", "gmean")]
    for row in rows:
        tested = study.metrics(row["model"]) if row["tested"] == "test set" else study.elsewhere(row["model"])
        assert float(row["accuracy"]) == tested["at"][row["criterion"]]["accuracy"]
    headline = json.loads((tiny / "site" / "study.json").read_text(encoding="utf-8"))
    assert {model: values["auc"] for model, values in headline["models"].items()} == {
        model: study.metrics(model)["auc"] for model in study.models}
    assert headline["commit"] == study.provenance["commit"] and headline["manifest_sha256"] == study.digest


def test_the_code_page_shows_the_function_that_drew_a_figure(tiny):
    page = (tiny / "site" / "report" / "code" / "figures-roc.html").read_text(encoding="utf-8")
    assert "draw_roc_curve" in page and str(ROOT) not in page


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
