"""The PDFs: every page a picture that shows something, numbers of the artifacts, fonts, bookmarks, tags, language."""

import re
import shutil
import subprocess
from collections.abc import Iterator

import numpy as np
import pytest

from tests.test_site import PDF

pytestmark = pytest.mark.skipif(not shutil.which("pdftoppm"), reason="poppler (pdftoppm, pdftotext, pdffonts) is not installed")


@pytest.fixture(scope="module", params=["sl", "en"])
def pdf(request, tiny):
    return tiny / "site" / "report" / request.param / PDF[request.param]


def said(pdf) -> str:
    return subprocess.run(["pdftotext", "-layout", pdf, "-"], capture_output=True, encoding="utf-8", check=True).stdout


def localised(value: float, pdf) -> str:
    return f"{value:.3f}".replace(".", ",") if pdf.parent.name == "sl" else f"{value:.3f}"


def test_no_page_is_empty(pdf, tmp_path):
    from PIL import Image

    subprocess.run(["pdftoppm", "-r", "40", "-gray", "-png", pdf, tmp_path / "page"], check=True)
    pages = sorted(tmp_path.iterdir())
    assert len(pages) > 10
    for page in pages:
        ink = (np.asarray(Image.open(page)) < 200).mean()
        assert ink > 0.005, page.name


def test_the_numbers_are_those_of_the_artifacts(pdf, study):
    text = said(pdf)
    for model in study.models:
        assert localised(study.metrics(model)["auc"], pdf) in text
    for model in study.compared:
        for (_, _), row in study.thresholds(model).items():
            assert localised(row["threshold"], pdf) in text


def test_no_option_of_a_command_is_broken(pdf):
    assert not re.search(r" --?$", said(pdf), re.MULTILINE)


def test_every_font_is_embedded(pdf):
    lines = subprocess.run(["pdffonts", pdf], capture_output=True, encoding="utf-8", check=True).stdout.splitlines()[2:]
    assert lines
    for line in lines:
        embedded = re.search(r"\s(yes|no)\s+(yes|no)\s+(yes|no)\s+\d+\s+\d+\s*$", line)
        assert embedded and embedded.group(1) == "yes", line


def test_it_keeps_to_pdf_ua(pdf):
    from pypdf import PdfReader

    part = re.search(rb"<pdfuaid:part>(\d)</pdfuaid:part>", PdfReader(pdf).trailer["/Root"]["/Metadata"].get_data())
    assert part and part.group(1) == b"1", "Typst checks what it can of PDF/UA-1 before it writes so"


def test_both_equations_are_told_in_words(pdf):
    from pypdf import PdfReader

    formulas = [element for element in elements(PdfReader(pdf).trailer["/Root"]["/StructTreeRoot"]) if element.get("/S") == "/Formula"]
    assert [formula["/Alt"].split()[0] for formula in formulas] == ["F1", "G-mean"]


def elements(node) -> Iterator:
    """Every element of the structure tree from `node` down, in the order of reading; what they mark are numbers, and left out."""
    node = node.get_object()
    if hasattr(node, "get"):
        yield node
        children = node["/K"].get_object() if "/K" in node else []
        for child in children if isinstance(children, list) else [children]:
            yield from elements(child)


def test_bookmarks_language_tags_and_alt_text(pdf):
    from pypdf import PdfReader

    document = PdfReader(pdf)
    root = document.trailer["/Root"].get_object()
    assert root["/Lang"].startswith(pdf.parent.name)
    assert root["/MarkInfo"]["/Marked"]
    titles = [entry.title for entry in document.outline if not isinstance(entry, list)]
    assert len(titles) >= 8
    assert document.metadata.title
    assert sum("/Alt" in element for element in elements(root["/StructTreeRoot"])) >= 25


def test_the_explorers_leave_no_trace(pdf):
    text = said(pdf)
    assert "study-data" not in text and "addEventListener" not in text
