"""The two languages as equals: same labels, references, inline values, templates; every id of the design."""

import re

import pytest

from report.embedded.source import Cell, read_page
from report.explorers import EXPLORERS
from report.figures.registry import FIGURES
from report.sentences import Sentences
from report.study import Study
from report.tables import TABLES
from report.templating import TEMPLATES
from report.words import Words
from tests.long_runs import ROOT

FIGURE_IDS = [
    "fig-lr-dnn", "fig-wd-dnn", "fig-mp-dnn", "fig-lr-cnn",
    "fig-wd-cnn", "fig-mp-cnn", "fig-best-auc", "fig-tuning-nowig",
    "fig-tuning-resnet", "fig-resnets", "fig-roc", "fig-confusion",
    "fig-metrics", "fig-filters-resnet", "fig-filters-cnn", "fig-act-resnet",
    "fig-act-resnetog", "fig-act-cnn", "fig-io-resnetog", "fig-io-cnn",
    "fig-sal-resnetog-right", "fig-sal-resnetog-wrong", "fig-sal-cnn-right", "fig-sal-cnn-wrong",
]
CITED = r"@([a-z]+\d{4})"
OTHER_IDS = ["eq-f1", "eq-gmean", "tbl-thresholds", "tbl-hyperparameters"]


@pytest.fixture(scope="module")
def pages():
    return {language: read_page(ROOT / "report" / language / "index.qmd") for language in ("sl", "en")}


def text_of(page) -> str:
    return "\n".join(part for part in page.parts if isinstance(part, str))


def labels_of(page) -> list[str]:
    found = []
    for part in page.parts:
        found += [part.options["label"]] if isinstance(part, Cell) and part.options else []
        found += re.findall(r"\{#([\w-]+)", part) if isinstance(part, str) else []
    return found


def test_both_pages_have_the_same_labels_in_the_same_order(pages):
    assert labels_of(pages["sl"]) == labels_of(pages["en"])


def test_both_pages_refer_to_the_same_things_in_the_same_order(pages):
    references = {language: re.findall(r"@((?:fig|tbl|eq|sec)-[\w-]+)", text_of(page)) for language, page in pages.items()}
    assert references["sl"] == references["en"]


def test_both_pages_cite_the_same_sources_and_the_bibliography_holds_no_others(pages):
    cited = {language: re.findall(CITED, text_of(page)) for language, page in pages.items()}
    assert cited["sl"] == cited["en"] and cited["sl"]
    in_sentences = {language: {path.name: re.findall(CITED, path.read_text(encoding="utf-8"))
                               for path in (ROOT / "templates" / "sentences" / language).iterdir()} for language in pages}
    assert in_sentences["sl"] == in_sentences["en"]
    known = re.findall(r"^@\w+\{(\w+),", (ROOT / "report" / "references.bib").read_text(encoding="utf-8"), re.M)
    assert set(cited["sl"]).union(*in_sentences["sl"].values()) == set(known)


def test_both_pages_show_the_same_inline_values(pages):
    assert pages["sl"].inline_expressions() == pages["en"].inline_expressions()


def test_every_id_of_the_design_is_on_the_page(pages):
    assert set(FIGURE_IDS + OTHER_IDS) <= set(labels_of(pages["en"]))


def test_every_figure_and_table_has_caption_and_alt_text_and_is_known(pages):
    for page in pages.values():
        for cell in (part for part in page.parts if isinstance(part, Cell) and part.options):
            label = cell.options["label"]
            assert f'("{label}")' in cell.code
            assert label in (FIGURES if label.startswith("fig-") else TABLES)
            assert len(cell.options.get("fig-cap", cell.options.get("tbl-cap"))) > 15
            assert label.startswith("tbl-") or len(cell.options["fig-alt"]) > 30


def test_every_figure_and_table_is_referred_to_by_the_page_or_a_sentence_of_a_whole_study(pages, study):
    for language, page in pages.items():
        say = Sentences(study, Words(language))
        said = [getattr(say, name[4:]).markdown for name in page.inline_expressions() if name.startswith("say.")]
        referred = set(re.findall(r"@((?:fig|tbl)-[\w-]+)", "\n".join([text_of(page), *said])))
        assert {label for label in labels_of(page) if label.startswith(("fig-", "tbl-"))} <= referred


def test_no_result_stands_in_the_prose(pages):
    """Decimal numbers in the text can only be 0.5, the symmetric threshold."""
    for page in pages.values():
        prose = re.sub(r"^---.*?^---", "", text_of(page), flags=re.S | re.M)
        assert set(re.findall(r"\d+[.,]\d+", prose)) <= {"0.5", "0,5"}


def test_sentences_exist_in_both_languages_and_are_all_used(pages):
    names = {language: {path.name.split(".")[0] for path in (ROOT / "templates" / "sentences" / language).iterdir()} for language in pages}
    assert names["sl"] == names["en"]
    said = {expression for expression in pages["sl"].inline_expressions() if expression.startswith("say.")}
    assert {f"say.{name}" for name in names["sl"]} == said
    shared = {language: {path.name for path in (ROOT / "templates" / "phrases" / language).iterdir()} for language in pages}
    assert shared["sl"] == shared["en"]


def test_every_figure_and_table_is_followed_by_links_to_its_data_and_code(pages):
    for page in pages.values():
        for place, part in enumerate(page.parts):
            if isinstance(part, Cell) and part.options:
                assert page.parts[place + 1].strip().startswith(f'`{{python}} page.follow("{part.options["label"]}")`')


def test_every_explorer_is_on_both_pages(pages):
    for page in pages.values():
        codes = [part.code for part in page.parts if isinstance(part, Cell)]
        assert [f'page.explorer("{name}")' in codes for name in EXPLORERS] == [True] * 3
        assert codes[-1] == "page.scripts()"


def test_a_sentence_is_one_line_and_keeps_its_no_break_spaces(study):
    text = Sentences(study, Words("en")).localisation.markdown
    assert "\n" not in text and "  " not in text
    assert "\u00a0%" in text and " %" not in text


def test_no_line_ends_within_a_percentage_or_a_product(pages, study):
    for language, page in pages.items():
        said = [getattr(Sentences(study, Words(language)), expression.removeprefix("say.")).markdown
                for expression in page.inline_expressions() if expression.startswith("say.")]
        text = "\n".join([text_of(page), *said])
        assert re.findall(r"\d\u00a0×\u00a0\d", text) and re.findall(r"\d\\ ×\\ \d", text)
        assert re.findall(r"\d [%×].*|.*× \d", text) == []


@pytest.mark.parametrize("language", ["sl", "en"])
def test_no_sentence_is_empty_since_quarto_may_show_the_code_of_an_empty_one(study, language):
    shipped = next((ROOT / "results").glob("*/manifest.json")).parent
    names = [path.name.split(".")[0] for path in (TEMPLATES / "sentences" / language).glob("*.j2")]
    for shown in (study, Study(shipped)):
        assert all(getattr(Sentences(shown, Words(language)), name).markdown for name in names)
