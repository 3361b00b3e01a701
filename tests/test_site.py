"""The rendered site and PDFs of the tiny study: ids, numbers, pictures, links, no placeholder, no other host."""

import csv
import json
import os
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser

import pytest

from report.figures.registry import FIGURES
from tests.long_runs import ROOT
from tests.test_pages import FIGURE_IDS, OTHER_IDS

PDF = {"sl": "studija.pdf", "en": "study.pdf"}


class _Page(HTMLParser):
    """Collects ids, links, pictures and text."""

    def __init__(self, text: str):
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.pictures: list[dict] = []
        self.words: list[str] = []
        self.language = ""
        self.not_text = False
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        if "id" in values:
            self.ids.append(values["id"])
        if tag == "html":
            self.language = values["lang"]
        if tag in ("a", "link") and values.get("href"):
            self.links.append(values["href"])
        if tag == "img":
            self.pictures.append(values)
        self.not_text = tag in ("annotation", "script", "style")  # MathML carries the TeX source of an equation

    def handle_data(self, data):
        if not self.not_text:
            self.words.append(data)

    def handle_endtag(self, tag):
        self.not_text = False


@pytest.fixture(scope="module", params=["sl", "en"])
def page(request, tiny):
    folder = tiny / "site" / "report" / request.param
    parsed = _Page((folder / "index.html").read_text(encoding="utf-8"))
    parsed.folder = folder
    return parsed


def test_every_id_is_there_once(page):
    assert set(FIGURE_IDS + OTHER_IDS) <= set(page.ids)
    assert len(page.ids) == len(set(page.ids))


def test_the_contents_list_sections_and_subsections_in_their_order(page):
    text = (page.folder / "index.html").read_text(encoding="utf-8")
    listed = re.findall(r'<li class="level([12])"><a href="#([^"]+)"><span class="number">([\d.]+)</span> (.*?)</a>', text)
    headings = re.findall(r'<h([12]) data-number="([\d.]+)" id="([^"]+)"><span[^>]*>[^<]*</span> (.*?)</h[12]>', text)
    assert listed == [(level, label, number, title) for level, number, label, title in headings]
    assert {level for level, *_ in listed} == {"1", "2"}


def test_the_page_knows_its_language(page):
    assert page.language == page.folder.name


def test_every_figure_is_a_picture_with_alt_text(page):
    assert len(page.pictures) == len(FIGURES)
    for picture in page.pictures:
        assert (page.folder / picture["src"]).stat().st_size > 2000
        assert len(picture["alt"]) > 30


def test_every_link_leads_somewhere_and_none_to_another_host_but_the_references(page):
    for link in page.links:
        if link.startswith("#"):
            assert link[1:] in page.ids
        elif not link.startswith(("data:", "https://doi.org", "https://arxiv.org", "https://www.arxiv.org", "http://arxiv.org")):
            assert (page.folder / link.partition("#")[0]).exists(), link


def test_nothing_is_loaded_from_another_host(page):
    text = (page.folder / "index.html").read_text(encoding="utf-8")
    assert not re.search(r'(src|srcset)="https?:', text)
    assert not re.search(r'<link[^>]+rel="stylesheet"[^>]+https?:', text)


def test_there_is_no_placeholder_and_no_error(page):
    text = " ".join(page.words)
    for sign in ("{{", "}}", "{python}", "StrictUndefined", "Traceback", "TODO", "??", "say."):
        assert sign not in text, sign
    assert not re.search(r"\b(nan|None|inf)\b", text)


def test_numbers_follow_the_language(page, study):
    value = f"{study.metrics(study.compared[0])['auc']:.3f}"
    shown = value.replace(".", ",") if page.folder.name == "sl" else value
    assert shown in " ".join(page.words)


def test_both_languages_show_the_same_numbers(tiny):
    """Every number between 0 and 2 with two or three decimals, in the order of the page."""
    found = {}
    for language, point in (("sl", ","), ("en", r"\.")):
        text = " ".join(_Page((tiny / "site" / "report" / language / "index.html").read_text(encoding="utf-8")).words)
        found[language] = sorted(number.replace(",", ".") for number in re.findall(rf"(?<![\d.,])[01]{point}\d{{2,3}}(?!\d)", text))
    assert len(found["sl"]) > 50
    assert found["sl"] == found["en"]


@pytest.mark.skipif(not shutil.which("pdftotext"), reason="pdftotext (poppler) is not installed")
@pytest.mark.parametrize("language", ["sl", "en"])
def test_the_pdf_tells_the_same(tiny, study, language):
    pdf = tiny / "site" / "report" / language / PDF[language]
    text = subprocess.run(["pdftotext", "-layout", pdf, "-"], capture_output=True, encoding="utf-8", check=True).stdout
    word = {"sl": "Slika", "en": "Figure"}[language]
    for number in range(1, len(FIGURES) + 1):
        assert re.search(rf"{word}\s{number}:", text), number
    value = f"{study.metrics(study.compared[0])['auc']:.3f}"
    assert (value.replace(".", ",") if language == "sl" else value) in text
    information = subprocess.run(["pdfinfo", pdf], capture_output=True, encoding="utf-8", check=True).stdout
    assert re.search(r"Tagged:\s+yes", information)


def test_the_site_is_replaced_only_by_a_whole_one(tiny):
    assert not list(tiny.glob(".*building"))
    assert (tiny / "site" / "index.html").exists()


def test_the_hook_of_quarto_attaches_everything_to_the_site_it_is_told(tiny, tmp_path):
    (tmp_path / "site" / "report").mkdir(parents=True)
    environment = {**os.environ, "QUARTO_PROJECT_OUTPUT_DIR": str(tmp_path / "site"), "COVID_CT_STUDY": str(tiny / "study")}
    hook = ROOT / "report" / "hooks" / "after_render.py"
    done = subprocess.run([sys.executable, hook], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr

    def names(site):
        folders = ("report/data", "report/code", "report/explore", "study.json", "cover.png")
        return {path.relative_to(site) for folder in folders for path in [site / folder, *(site / folder).rglob("*")]}

    assert names(tmp_path / "site") == names(tiny / "site")
    environment["COVID_CT_STUDY"] = "nowhere"
    done = subprocess.run([sys.executable, hook], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 2 and "nowhere does not exist" in done.stderr and done.stderr.count("\n") == 1


def test_the_hook_finds_the_python_of_the_cells(tmp_path, monkeypatch):
    from report.hooks import interpreter

    monkeypatch.setattr(interpreter, "NOTE", tmp_path / "quarto" / "note")
    interpreter.note_interpreter()
    assert interpreter.noted_interpreter() is None  # Quarto is not rendering
    (tmp_path / "quarto").mkdir()
    interpreter.note_interpreter()
    assert interpreter.noted_interpreter() is None  # the same Python
    (tmp_path / "quarto" / "note").write_text(__file__, encoding="utf-8")
    assert interpreter.noted_interpreter() == __file__


@pytest.mark.parametrize(("told", "expected"), [
    ("", ""), ("site-url:", ""), ("site-url: ''", ""), ("site-url: https://example.org/study/", "https://example.org/study"),
])
def test_the_address_of_the_site_may_be_left_out(tmp_path, monkeypatch, told, expected):
    from report import addresses

    (tmp_path / "_quarto.yml").write_text(f"website:\n  title: x\n  {told}\n", encoding="utf-8")
    monkeypatch.setattr(addresses, "ROOT", tmp_path)
    assert addresses.site_address() == expected


@pytest.mark.parametrize(("told", "expected"), [
    ("site-url: example.org/study", "error: site-url in _quarto.yml is 'example.org/study'; give a whole address"),
    ("site-url: 5", "error: site-url in _quarto.yml is '5'; give"),
    ("site-url: http://", "error: site-url in _quarto.yml is 'http://'; give"),
    ("site-url: [", "_quarto.yml cannot be read ("),
])
def test_a_wrong_address_of_the_site_is_told_in_one_line_before_anything_is_drawn(tiny, tmp_path, monkeypatch, capfd, told, expected):
    from report import addresses
    from report.cli import main

    (tmp_path / "_quarto.yml").write_text(f"website:\n  {told}\n", encoding="utf-8")
    monkeypatch.setattr(addresses, "ROOT", tmp_path)
    assert main(["--study", str(tiny / "study"), "--site", str(tmp_path / "site"), "--renderer", "embedded"]) == 2
    out, err = capfd.readouterr()
    assert not out and expected in err and err.count("\n") == 1
    assert not (tmp_path / "site").exists()


def test_heads_get_whole_addresses_where_the_site_s_own_is_known(tiny, tmp_path, monkeypatch):
    from report import addresses

    for page in ("index.html", "report/sl/index.html"):
        (tmp_path / page).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(tiny / "site" / page, tmp_path / page)
    text = (tmp_path / "report/sl/index.html").read_text(encoding="utf-8")
    assert 'property="og:image" content="../../cover.png"' in text and 'hreflang="en" href="../en/index.html"' in text
    addresses.complete_addresses(tmp_path)
    assert (tmp_path / "report/sl/index.html").read_text(encoding="utf-8") == text  # no address is known
    monkeypatch.setattr(addresses, "site_address", lambda: "https://example.org/study")
    addresses.complete_addresses(tmp_path)
    for page in ("index.html", "report/sl/index.html"):
        text = (tmp_path / page).read_text(encoding="utf-8")
        assert 'property="og:image" content="https://example.org/study/cover.png"' in text
        for language in ("sl", "en"):
            assert f'<link rel="alternate" hreflang="{language}" href="https://example.org/study/report/{language}/index.html"' in text
    assert '<a href="../../report/en/index.html" lang="en" hreflang="en">' in text  # what is clicked stays within the site


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
