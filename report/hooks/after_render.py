"""Quarto's post-render hook: puts data, code, pictures of the explorers and study.json beside the pages.

Quarto runs it as a script, so it finds the project by itself.
"""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
AGAIN = "COVID_CT_HOOK_AGAIN"


def main() -> int:
    """Attach everything to the site that Quarto has just written; the exit status."""
    sys.path[0] = str(ROOT)
    try:
        from report.attachments import attach
        from report.study import Study, find_study
    except ModuleNotFoundError as error:
        return _again(error)
    from pipeline.errors import UserError

    site = Path(os.environ.get("QUARTO_PROJECT_OUTPUT_DIR", "_site"))
    try:
        attach(Study(find_study()).verify(), ROOT / site)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def _again(error: ModuleNotFoundError) -> int:
    """Run once more, with the Python that ran the cells."""
    from report.hooks.interpreter import noted_interpreter

    python = noted_interpreter()
    if python is None or AGAIN in os.environ:
        print(f"error: {error}; set QUARTO_PYTHON to the Python of the study's environment", file=sys.stderr)
        return 2
    return subprocess.run([python, __file__], env={**os.environ, AGAIN: "1"}, check=False).returncode


if __name__ == "__main__":
    raise SystemExit(main())
