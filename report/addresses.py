"""Whole addresses in the pages' heads, where it is known where the site is published; everywhere else links are relative.

Link previews ask for them (Open Graph), and search engines (hreflang).
"""

import re
from pathlib import Path
from urllib.parse import urljoin

import yaml

from pipeline.errors import UnreadableFile, UserError
from report.study import ROOT

WHOLE = re.compile(r"https?://[^/\s]")
IN_HEADS = re.compile(r'(<meta property="og:image" content="|<link rel="alternate" hreflang="\w+" href=")([^"]+)')


def site_address() -> str:
    """Where the site is published, from `website.site-url` of _quarto.yml; empty where that is not said.

    Raises UserError where it is no whole address, UnreadableFile where the file is no YAML.
    """
    path = ROOT / "_quarto.yml"
    try:
        given = yaml.safe_load(path.read_text(encoding="utf-8"))["website"].get("site-url") or ""
    except yaml.YAMLError as error:
        raise UnreadableFile(path, error, "mend it or take it from the project anew") from None
    if given and not WHOLE.match(str(given)):
        raise UserError(f"site-url in _quarto.yml is '{given}'; give a whole address, such as https://example.org/study, or none")
    return str(given).rstrip("/")


def complete_addresses(site: Path) -> None:
    """Write them into every page of the site, for its picture and for its languages."""
    address = site_address()
    if not address:
        return
    for page in site.rglob("index.html"):
        own = f"{address}/{page.relative_to(site).as_posix()}"
        text = page.read_text(encoding="utf-8")
        page.write_text(IN_HEADS.sub(lambda tag, own=own: tag[1] + urljoin(own, tag[2]), text), encoding="utf-8")
