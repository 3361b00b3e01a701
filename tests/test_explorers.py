"""The explorers in a real browser: by mouse, touch and keyboard they show the stored numbers, and draw them where they belong."""

import math
from dataclasses import asdict

import numpy as np
import pytest

from pipeline.evaluation.thresholds import confusion_at
from pipeline.layout import TUNED_MODELS
from report.words import Words
from tests.browsing import LANGUAGES, in_browser

pytestmark = in_browser


def counts_at(study, model: str, threshold: float) -> dict[str, int]:
    labels, probabilities = zip(*((row["label"], row["probability"]) for row in study.scores(model)), strict=True)
    return asdict(confusion_at(labels, probabilities, threshold))


def shown_counts(page) -> dict[str, int]:
    return {name: int(page.locator(f"#explore-threshold [data-cell={name}]").inner_text().split()[0]) for name in ("tp", "fp", "fn", "tn")}


def shown_value(page, name: str) -> float:
    text = page.locator(f"#explore-threshold [data-value={name}]").inner_text()
    return math.nan if text == "–" else float(text.replace(",", ".").replace("−", "-"))


def browser_of_patients(page, model: str):
    """The patient browser of a page, with this model chosen."""
    section = page.locator("#explore-patients")
    section.locator("select").nth(0).select_option(model)
    return section


def set_slider(slider, value: float) -> None:
    slider.evaluate("(input, value) => { input.value = value; input.dispatchEvent(new Event('input', {bubbles: true})); }", value)


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
    severe = np.mean([row["label"] for row in study.scores(study.compared[0])])
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
def test_patients_are_sorted_by_score_and_filtered_by_outcome(visit, study, language):
    model = study.compared[1]
    section, rows = browser_of_patients(visit(language), model), study.scores(model)
    people, outcomes = section.locator("[data-patient]"), section.locator("select").nth(2)
    order = [int(one.get_attribute("data-patient")) for one in people.all()]
    assert order == sorted(range(len(rows)), key=lambda index: -rows[index]["probability"])
    counts = counts_at(study, model, study.thresholds(model)["f1", "validation"]["threshold"])
    for outcome in ("tp", "tn", "fp", "fn"):
        outcomes.select_option(outcome)
        assert outcomes.input_value() == outcome
        assert people.count() == counts[outcome]
        assert outcomes.locator(f"option[value={outcome}]").inner_text().endswith(f"({counts[outcome]})")
        if counts[outcome]:
            assert people.first.get_attribute("aria-checked") == "true"  # who was shown has another outcome, or was first before
        else:
            assert outcome.upper() in section.locator(".nobody").inner_text()


@pytest.mark.parametrize("language", LANGUAGES)
def test_patients_are_leafed_through(visit, study, language):
    page, model = visit(language), study.compared[1]
    section = browser_of_patients(page, model)
    people = section.locator("[data-patient]")
    for near, keys, reached in ((people.last, ("ArrowLeft", "ArrowRight", "ArrowRight"), people.last),
                                (people.first, ("ArrowLeft", "ArrowRight"), people.nth(1))):
        near.click()
        for key in keys:
            page.keyboard.press(key)
        assert reached.get_attribute("aria-checked") == "true"
    set_slider(section.locator("input[type=range]").first, 10)
    chosen = sorted(study.scores(model), key=lambda row: -row["probability"])[1]
    facts = section.locator(".facts").inner_text()
    for value in (chosen["probability"], chosen["slices"][9]):
        assert Words(language).decimal(value) in facts
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
    rows = study.scores(study.compared[0])
    highest = max(rows, key=lambda row: row["probability"])["id"]
    asked = {rows[0]["id"]: rows[0]["id"], rows[-1]["id"]: rows[-1]["id"], "nobody": highest}
    for given, shown in asked.items():
        page = visit("en", at=f"?patient={given}&slice=99&saliency=x&model=none")
        facts = page.locator("#explore-patients .facts").inner_text()
        assert facts.startswith(f"{shown}:") and f"Slice {len(rows[0]['slices'])} of" in facts and page.complaints == []


def test_dragging_over_a_scan_leafs_through_its_slices(visit, study):
    page = visit("en")
    section = page.locator("#explore-patients")
    slices = len(study.scores(study.compared[0])[0]["slices"])
    scan, shown = section.locator(".scan"), section.locator("output")
    assert shown.inner_text() == f"{slices // 2} / {slices}"
    scan.scroll_into_view_if_needed()
    box = scan.bounding_box()
    for layer in section.locator("img").all():  # each holds all slices side by side, and the scan shows one
        assert layer.bounding_box()["width"] == pytest.approx(slices * box["width"], rel=0.01)
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
    model = max(TUNED_MODELS, key=lambda name: np.ptp([trial.loss[-1] for trial in study.phases(name)["lr"].trials]))  # points apart
    section.locator("select").nth(0).select_option(model)
    phase = study.phases(model)["lr"]
    keys = section.locator(".legend button")
    assert keys.count() == len(phase.values)
    keys.first.click()  # at first the chosen one is shown
    for index, trial in enumerate(phase.trials):
        if index:
            page.keyboard.press("ArrowRight")
        facts = section.locator(".facts").inner_text()
        for value in (trial.auc[-1], trial.loss[-1]):
            assert Words(language).decimal(value) in facts
        assert "undefined" not in facts
        assert keys.nth(index).get_attribute("aria-checked") == "true"
        assert [key.get_attribute("tabindex") for key in keys.all()] == ["0" if place == index else "-1" for place in range(keys.count())]
    last_facts = section.locator(".facts").inner_text()
    page.keyboard.press("ArrowRight")  # beyond the last one
    assert section.locator(".facts").inner_text() == last_facts and page.complaints == []
    for chosen, same in ((keys.first, False), (keys.last, True)):
        chosen.click()
        assert chosen.get_attribute("aria-checked") == "true" and (section.locator(".facts").inner_text() == last_facts) == same
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


def test_a_patient_id_with_html_in_it_stays_text(chromium, study, tmp_path, monkeypatch):
    from report.explorers import EXPLORERS, explorer, scripts
    from report.study import Study

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
