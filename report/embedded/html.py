"""Writes a page as HTML."""

import re
from pathlib import Path

from report.embedded.crossref import Numbers
from report.embedded.pandoc import write_tree
from report.embedded.shape import shape
from report.embedded.tree import rewrite
from report.study import ROOT
from report.templating import environment

BIBLIOGRAPHY = ROOT / "report" / "references.bib"
CITATION_STYLE = ROOT / "report" / "citations.csl"
STYLE = re.compile(r"<style>.*?</style>\n?", re.S)


def citation_options(language: str) -> tuple[str, ...]:
    """What Pandoc needs to set citations and their list in this language."""
    return ("--citeproc", "--bibliography", str(BIBLIOGRAPHY), "--csl", str(CITATION_STYLE),
            "--metadata", f"lang={language}", "--metadata", "link-citations=true")


def _link_pages(tree: dict) -> dict:
    """Links to other pages of the project lead to what is rendered from them."""

    def change(item: dict):
        if item["t"] == "Link":
            page, hash_sign, place = item["c"][2][0].partition("#")
            if page.endswith(".qmd"):
                item["c"][2][0] = f"{page.removesuffix('.qmd')}.html{hash_sign}{place}"
        return None

    return {**tree, "blocks": rewrite(tree["blocks"], change)}


def write_html(tree: dict, numbers: Numbers, metadata: dict, navigation: dict, target: Path) -> None:
    """Write `target` from the tree of a page; `navigation` holds what `templates/page/page.html.j2` asks for."""
    language = metadata.get("lang", "sl")
    options = ["--to", "html5", "--mathml", "--wrap", "none", *citation_options(language)]
    if metadata.get("number-sections"):
        options.append("--number-sections")
    body = write_tree(_link_pages(shape(tree, numbers, "html")), *options)
    styles = "".join(STYLE.findall(body))  # which HTML allows in the head alone
    page = environment(escape=True).get_template("page/page.html.j2").render(
        language=language, title=metadata["title"], subtitle=metadata.get("subtitle", ""),
        description=metadata.get("description", metadata.get("subtitle", "")),
        headings=[heading for heading in numbers.headings if heading[0] <= 2],
        body=STYLE.sub("", body), styles=styles, **navigation)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(page, encoding="utf-8")
