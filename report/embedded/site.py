"""Renders every page of the project into one site folder."""

import shutil
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from pathlib import Path

import yaml

from report.attachments import attach
from report.embedded.assemble import assemble
from report.embedded.crossref import resolve
from report.embedded.execute import Executed, execute_page
from report.embedded.html import write_html
from report.embedded.pandoc import parse_markdown
from report.embedded.pdf import write_pdf
from report.embedded.source import Page, read_page
from report.placing import put_in_place
from report.study import ROOT, Study
from report.templating import TEMPLATES

MOST_PATIENCE = 2  # seconds; whoever waits for a kernel that was ended while it started notices after up to a dozen
OTHER = {"sl": "en", "en": "sl"}


def render_site(study: Path, site: Path) -> None:
    """Render all pages of `_quarto.yml` into `site`, which is replaced only when everything succeeded."""
    building = site.with_name(f".{site.name}-building")
    shutil.rmtree(building, ignore_errors=True)
    building.mkdir(parents=True)
    try:
        pages = [read_page(ROOT / path) for path in yaml.safe_load((ROOT / "_quarto.yml").read_text(encoding="utf-8"))["project"]["render"]]
        pool = ThreadPoolExecutor(len(pages))  # the work is done in kernels, Pandoc and Typst
        work: list[Future] = []
        try:
            work += (pool.submit(_render_page, page, study, building) for page in pages)
            wait(work)
        except KeyboardInterrupt:
            _stop(work)
            raise
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
        for done in work:
            done.result()
        shutil.copy(TEMPLATES / "page" / "style.css", building / "style.css")
        attach(Study(study), building)
        put_in_place(building, site)
    finally:
        shutil.rmtree(building, ignore_errors=True)


def _stop(work: Sequence[Future]) -> None:
    """End the kernels and Pandoc, so that the pages in work stop; those that still do not are left behind."""
    import psutil

    patience = time.monotonic() + MOST_PATIENCE
    while wait(work, timeout=0.2).not_done and time.monotonic() < patience:  # kernels may be about to start
        for process in psutil.Process().children(recursive=True):
            with suppress(psutil.Error):
                process.kill()


def _render_page(page: Page, study: Path, building: Path) -> None:
    has_code = any(not isinstance(part, str) for part in page.parts)
    executed = execute_page(page, study) if has_code else Executed([], {})
    assembled = assemble(page, executed)
    relative = page.path.relative_to(ROOT)
    target = (building / relative).with_suffix(".html")
    figures = target.parent / "figures"
    for name, svg in assembled.figures.items():
        figures.mkdir(parents=True, exist_ok=True)
        (figures / name).write_text(svg, encoding="utf-8")
    tree = parse_markdown(assembled.markdown)
    language = page.metadata.get("lang", "sl")
    numbers = resolve(tree, language, str(relative))
    formats = page.metadata.get("format", {})
    contents_title = formats.get("html", {}).get("toc-title", "")
    write_html(tree, numbers, page.metadata, _navigation(page, relative, formats, contents_title), target)
    if "typst" in formats:
        write_pdf(tree, numbers, page.metadata, contents_title, target.with_name(formats["typst"]["output-file"]))


def _navigation(page: Page, relative: Path, formats: dict, contents_title: str) -> dict:
    """What the page template shows around the text: the way to the root, the other language, the PDF."""
    language = page.metadata.get("lang")
    up = "../" * (len(relative.parts) - 1)
    return {
        "root": up, "contents_title": contents_title,
        "pdf": formats.get("typst", {}).get("output-file", ""),
        "other": f"../{OTHER[language]}/index.html" if language else "",
        "head": formats.get("html", {}).get("include-in-header", {}).get("text", ""),
    }
