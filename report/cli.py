"""The command line of the report."""

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from filelock import FileLock

from pipeline.errors import STOPPED, NotAllowed, UnknownName, UserError, mendable
from pipeline.layout import forbidden, named_path
from report.addresses import site_address
from report.placing import put_in_place
from report.study import ROOT, STUDY_VARIABLE, Study, find_study

RENDERERS = ("auto", "quarto", "embedded")


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> None:
        print(f"{self.prog}: {message}; see '{self.prog} --help'", file=sys.stderr)
        raise SystemExit(2)


def main(arguments: Sequence[str] | None = None) -> int:
    """Render the report; 0 on success, 2 for a user's mistake, 130 where it was stopped."""
    parser = _Parser(prog="python -m report", description="Renders a finished study as a site and PDFs in both languages.")
    parser.add_argument("--study", metavar="DIR", type=named_path, help="study folder (default: the newest finished one in artifacts/)")
    parser.add_argument("--site", metavar="DIR", type=named_path, default=Path("_site"), help="where the site goes (default _site)")
    parser.add_argument("--renderer", default="auto", help="auto, quarto or embedded (auto: Quarto where it is installed)")
    parser.add_argument("--check", action="store_true", help="see whether it could be rendered there, and render nothing")
    parser.add_argument("--quiet", action="store_true", help="print errors and notices alone")
    options = parser.parse_args(arguments)
    start = time.monotonic()
    try:
        try:
            refuse_without_pages(ROOT)
            renderer = choose_renderer(options.renderer)
            refuse_foreign(options.site)
            site_address()  # a wrong one is told before anything is drawn
            if options.check:
                return 0
            study = find_study(options.study)
            Study(study).verify()
            with site_lock(options.site):
                _render(renderer, study, options.site.resolve())
        except OSError as error:
            raise mendable(error, options.site) from None
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"stopped; {options.site} is as it was", file=sys.stderr)
        return STOPPED
    if not options.quiet:
        print(f"report: {study} rendered by the renderer '{renderer}' in {time.monotonic() - start:.1f} s")
        print(f"open {options.site / 'index.html'}")
    return 0


def refuse_without_pages(project: Path) -> None:
    """The pages lie in the project's folder, which an installed package lacks."""
    if not (project / "_quarto.yml").is_file():
        raise UserError(f"the pages of the report are not in {project}; work in a clone of the project, installed with: pip install -e .")


def choose_renderer(wanted: str) -> str:
    """`quarto` or `embedded`. Raises UnknownName, or UserError where Quarto is wanted and absent."""
    if wanted not in RENDERERS:
        raise UnknownName("renderer", wanted, RENDERERS)
    present = shutil.which("quarto") is not None
    if wanted == "quarto" and not present:
        raise UserError("--renderer quarto: no quarto is on PATH; install Quarto 1.6 or newer, or use --renderer embedded")
    return wanted if wanted != "auto" else ("quarto" if present else "embedded")


def site_lock(site: Path) -> FileLock:
    """Lets one report at a time build a site; another waits for it. Outside the site, which is replaced."""
    user = os.getuid() if hasattr(os, "getuid") else ""
    name = hashlib.sha256(str(site.resolve()).encode(errors="surrogateescape")).hexdigest()[:16]
    return FileLock(Path(tempfile.gettempdir()) / f"covid-ct-severity-site-{user}-{name}.lock")


def _render(renderer: str, study: Path, site: Path) -> None:
    if renderer == "embedded":
        from report.embedded.site import render_site

        render_site(study, site)
        return
    # Quarto wants its output folder inside the project; the old site stays until the new one is whole.
    building = ROOT / "_site-building"
    try:
        done = subprocess.run(["quarto", "render", "--output-dir", building.name], cwd=ROOT, check=False,
                              env={**os.environ, STUDY_VARIABLE: str(study.resolve()), "QUARTO_PYTHON": sys.executable})
        if done.returncode:
            raise UserError("quarto render failed, see its message above; python -m report --renderer embedded renders without Quarto")
        if not (building / "study.json").exists():  # the project's hook looked elsewhere for the site
            from report.attachments import attach

            attach(Study(study), building)
        put_in_place(building, site)
    finally:
        shutil.rmtree(building, ignore_errors=True)


def refuse_foreign(site: Path) -> None:
    """Never empty a folder that holds something else than a site of this project, nor one that git keeps; see that it can be made."""
    if site.exists() and (not site.is_dir() or (any(site.iterdir()) and not (site / "report" / "en").is_dir()) or (site / ".git").exists()):
        raise UserError(f"--site {site} holds other files; name a new or empty folder")
    if parent := forbidden(site.absolute().parent):
        raise NotAllowed(parent)
