"""Writes a page as a tagged PDF that keeps to PDF/UA-1, by way of Typst."""

import sys
from pathlib import Path

from report.embedded.crossref import Numbers
from report.embedded.html import citation_options
from report.embedded.pandoc import write_tree
from report.embedded.shape import shape, typst_string
from report.templating import environment


def write_pdf(tree: dict, numbers: Numbers, metadata: dict, contents_title: str, target: Path) -> None:
    """Write `target`; the figures lie in `figures/` beside it."""
    language = metadata["lang"]
    body = write_tree(shape(tree, numbers, "typst"), "--to", "typst-citations", "--wrap", "none", *citation_options(language))
    source = environment(escape=False).get_template("page/study.typ.j2").render(
        language=language, title=typst_string(metadata["title"]), subtitle=typst_string(metadata.get("subtitle", "")),
        description=typst_string(metadata.get("description", "")), contents_title=typst_string(contents_title), body=body)
    intermediate = target.with_suffix(".typ")
    intermediate.write_text(source, encoding="utf-8")
    try:
        _compile(intermediate, target)
    finally:
        intermediate.unlink()


def _compile(source: Path, target: Path) -> None:
    import typst

    try:
        typst.compile(source, output=target, root=source.parent, pdf_standards="ua-1")
    except RuntimeError as reason:  # a letter, of a path say, that no font here has: the page goes without the promise
        typst.compile(source, output=target, root=source.parent)
        print(f"notice: {target.name} does not keep to PDF/UA-1: {str(reason).removeprefix('PDF/UA-1 error: ')}", file=sys.stderr)
