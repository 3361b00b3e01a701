"""Whole addresses in the pages' heads, where it is known where the site is published; everywhere else links are relative.

Link previews ask for them (Open Graph), and search engines (hreflang).
"""

import re
from pathlib import Path
from urllib.parse import urljoin

import yaml

from report.study import ROOT

IN_HEADS = re.compile(r'(<meta property="og:image" content="|<link rel="alternate" hreflang="\w+" href=")([^"]+)')


def site_address() -> str:
    """Where the site is published, from `website.site-url` of _quarto.yml; empty where that is not said."""
    project = yaml.safe_load((ROOT / "_quarto.yml").read_text(encoding="utf-8"))
    return str(project["website"].get("site-url", "")).rstrip("/")


def complete_addresses(site: Path) -> None:
    """Write them into every page of the site, for its picture and for its languages."""
    address = site_address()
    if not address:
        return
    for page in site.rglob("index.html"):
        own = f"{address}/{page.relative_to(site).as_posix()}"
        text = page.read_text(encoding="utf-8")
        page.write_text(IN_HEADS.sub(lambda tag, own=own: tag[1] + urljoin(own, tag[2]), text), encoding="utf-8")
