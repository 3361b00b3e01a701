"""The embedded renderer: what it knows, and the clear line at what it does not."""

import pytest
from pypandoc import get_pandoc_version

from pipeline.errors import MissingPath
from report.embedded.assemble import svg_size
from report.embedded.crossref import resolve
from report.embedded.html import citation_options, write_html
from report.embedded.pandoc import parse_markdown, write_tree
from report.embedded.pdf import write_pdf
from report.embedded.shape import shape
from report.embedded.source import Cell, read_page
from report.errors import BrokenReference, UnknownConstruct


def page_of(tmp_path, text: str):
    (tmp_path / "page.qmd").write_text(text, encoding="utf-8")
    return read_page(tmp_path / "page.qmd")


def test_front_matter_includes_cells_and_inline_code(tmp_path):
    (tmp_path / "_part.qmd").write_text("part `{python} b.c`\n")
    page = page_of(tmp_path, '---\ntitle: "T"\n---\none\n\n{{< include _part.qmd >}}\n\n```{python}\n#| label: fig-x\nx = 1\n```\n')
    assert page.metadata["title"] == "T"
    cell = next(part for part in page.parts if isinstance(part, Cell))
    assert (cell.options, cell.code, cell.line) == ({"label": "fig-x"}, "x = 1", 8)
    assert page.inline_expressions() == ["b.c"]


@pytest.mark.parametrize(("text", "message"), [
    ("a\n\n{{< video x.mp4 >}}", r"page.qmd:3: .* the shortcode"),
    ("```{r}\n1\n```", r"page.qmd:1: .* cells in r"),
    ("```{python}\n#| layout-ncol: 2\n1\n```", r"page.qmd:1: .* the cell option 'layout-ncol'"),
    ("::: {.panel-tabset}\n:::", r"page.qmd:1: .* the div class 'panel-tabset'"),
    ("```{python}\n1", r"page.qmd:1: .* a cell without an end"),
])
def test_an_unknown_construct_is_named_with_file_and_line(tmp_path, text, message):
    with pytest.raises(UnknownConstruct, match=message):
        page_of(tmp_path, text)


def test_a_missing_include_is_named(tmp_path):
    with pytest.raises(MissingPath, match="_gone.qmd"):
        page_of(tmp_path, "{{< include _gone.qmd >}}")


TEXT = """
# One {#sec-one}

See @fig-b, [-@fig-a], @eq-e, @tbl-t and [-@sec-two].

::: {#fig-a .cell-figure alt="&quot;A&quot;" width="100" ratio="4 / 3"}
First.
:::

::: {#fig-b .cell-figure alt="B" width="50" ratio="4 / 3"}
Second.
:::

$$
x
$$ {#eq-e}

::: {#tbl-t .cell-table}
Caption.

| a | b |
|:--|--:|
| 1 | 2 |
:::

## Two {#sec-two}
"""


def test_numbers_and_references(tmp_path):
    tree = parse_markdown(TEXT)
    numbers = resolve(tree, "sl", "page")
    assert numbers.number == {"sec-one": "1", "sec-two": "1.1", "fig-a": "1", "fig-b": "2", "eq-e": "1", "tbl-t": "1"}
    navigation = {"root": "", "contents_title": "", "pdf": "", "other": "", "head": ""}
    write_html(tree, numbers, {"title": "T", "lang": "sl"}, navigation, tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    shown_by_label = {"fig-b": "Slika\u00a02", "fig-a": "1", "eq-e": "Enačba\u00a01", "tbl-t": "Tabela\u00a01", "sec-two": "1.1"}
    for label, shown in shown_by_label.items():
        assert f'<a href="#{label}" class="quarto-xref">{shown}</a>' in page
        assert f'id="{label}"' in page
    assert "Slika\u00a02: Second." in page and "Tabela\u00a01: Caption." in page
    assert 'alt="&quot;A&quot;"' in page


def test_styles_go_to_the_head_and_scripts_stay_where_they_are(tmp_path):
    tree = parse_markdown("One.\n\n```{=html}\n<style>\n.a { top: 0 }\n</style>\n<script>1</script>\n```\n")
    navigation = {"root": "", "contents_title": "", "pdf": "", "other": "", "head": ""}
    write_html(tree, resolve(tree, "sl", "page"), {"title": "T", "lang": "sl"}, navigation, tmp_path / "page.html")
    head, body = (tmp_path / "page.html").read_text(encoding="utf-8").split("</head>")
    assert "<style>\n.a { top: 0 }\n</style>" in head and "<style" not in body and "<script>1</script>" in body


def test_a_range_beside_a_number_is_not_broken_in_the_pdf():
    tree = parse_markdown("0.9 [(0.8–1.0)]{.below}")
    numbers = resolve(tree, "en", "page")
    written = {name: write_tree(shape(tree, numbers, name), "--to", name).strip() for name in ("typst", "html")}
    opening = "(" if get_pandoc_version().startswith("3.6") else "\\("  # later Pandocs escape it
    assert written == {"typst": f"0.9 #box[{opening}0.8--1.0)]", "html": '<p>0.9 <span class="below">(0.8–1.0)</span></p>'}


def test_a_reference_to_nothing_is_refused():
    with pytest.raises(BrokenReference, match="@fig-gone refers to nothing"):
        resolve(parse_markdown("See @fig-gone."), "en", "page")


def test_the_width_of_a_figure_comes_from_its_file():
    assert svg_size('<?xml version="1.0"?><svg height="10pt" width="226.8pt">') == (226.8, 10)


@pytest.mark.parametrize("language, quoted, two", [
    ("sl", "»An introduction to <span>ROC</span> analysis«", "Goutte in Gaussier"),
    ("en", "“An Introduction to <span>ROC</span> Analysis.”", "Goutte and Gaussier"),
])
def test_the_bibliography_quotes_and_joins_names_as_its_language_does(language, quoted, two):
    written = write_tree(parse_markdown("[@fawcett2006; @goutte2005]"), "--to", "html", "--wrap", "none", *citation_options(language))
    assert f"{two}</a> 2005" not in written and f">{two} 2005</a>" in written
    assert quoted.lower() in written.lower()


def test_a_letter_without_a_font_costs_the_promise_but_not_the_page(tmp_path, capsys):
    numbers = resolve(tree := parse_markdown("# One {#sec-one}\n\nA path: /data/\U000f1234\n"), "en", "page")
    write_pdf(tree, numbers, {"lang": "en", "title": "T"}, "Contents", tmp_path / "page.pdf")
    assert (tmp_path / "page.pdf").read_bytes().startswith(b"%PDF")
    assert list(tmp_path.iterdir()) == [tmp_path / "page.pdf"]
    assert "notice: page.pdf does not keep to PDF/UA-1: the text" in capsys.readouterr().err
