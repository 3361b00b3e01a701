"""Writes a page as a tagged PDF by way of Typst."""

from pathlib import Path

from report.embedded.crossref import Numbers
from report.embedded.html import citation_options
from report.embedded.pandoc import write_tree
from report.embedded.shape import shape, typst_string
from report.templating import environment


def write_pdf(tree: dict, numbers: Numbers, metadata: dict, contents_title: str, target: Path) -> None:
    """Write `target`; the figures lie in `figures/` beside it."""
    import typst

    language = metadata["lang"]
    body = write_tree(shape(tree, numbers, "typst"), "--to", "typst-citations", "--wrap", "none", *citation_options(language))
    source = environment(escape=False).get_template("page/study.typ.j2").render(
        language=language, title=typst_string(metadata["title"]), subtitle=typst_string(metadata.get("subtitle", "")),
        description=typst_string(metadata.get("description", "")), contents_title=typst_string(contents_title), body=body)
    intermediate = target.with_suffix(".typ")
    intermediate.write_text(source, encoding="utf-8")
    try:
        typst.compile(intermediate, output=target, root=target.parent)
    finally:
        intermediate.unlink()
