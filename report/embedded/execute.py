"""Runs the cells and inline expressions of a page in a Jupyter kernel, as Quarto does."""

import asyncio
import os
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import UserError
from report.ahead import SIDE_BY_SIDE
from report.embedded.source import Cell, Page
from report.study import ROOT, STUDY_VARIABLE

SECONDS_PER_CELL = 300


@dataclass(frozen=True)
class Executed:
    """outputs: per cell its MIME bundle (empty where it shows nothing); inline: Markdown by expression."""

    outputs: list[dict[str, str]]
    inline: dict[str, str]


def execute_page(page: Page, study: Path) -> Executed:
    """Run everything in one fresh kernel with the project as its folder.

    Raises UserError with the kernel's own message where an artifact is missing or damaged.
    """
    import nbformat
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError

    cells = [part for part in page.parts if isinstance(part, Cell)]
    expressions = page.inline_expressions()
    sources = [cell.code for cell in cells] + expressions
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in sources])
    client = NotebookClient(notebook, timeout=SECONDS_PER_CELL, kernel_name="python3", extra_arguments=["--log-level=40"],
                            resources={"metadata": {"path": str(ROOT)}})
    environment = {**os.environ, STUDY_VARIABLE: str(study.resolve()), "PYTHONPATH": _python_path(), SIDE_BY_SIDE: "1",
                   "PYDEVD_DISABLE_FILE_VALIDATION": "1"}
    try:
        asyncio.run(_execute(client, environment))
    except CellExecutionError as error:
        if error.ename in _user_error_names():
            raise UserError(error.evalue) from None
        raise RuntimeError(f"{page.path}: a cell failed with {error.ename}: {error.evalue}\n{error.traceback}") from None
    bundles = [_bundle(cell) for cell in notebook.cells]
    return Executed(bundles[: len(cells)], {
        expression: _markdown(bundle) for expression, bundle in zip(expressions, bundles[len(cells) :], strict=True)})


async def _execute(client, environment: dict[str, str]) -> None:
    await client.async_execute(env=environment)


def _python_path() -> str:
    return os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")]))


def _user_error_names() -> set[str]:
    def names(kind: type) -> set[str]:
        return {kind.__name__}.union(*(names(child) for child in kind.__subclasses__()))

    return names(UserError)


def _bundle(cell) -> dict[str, str]:
    """The MIME bundle of the last thing a cell shows."""
    shown = [output["data"] for output in cell.outputs if output["output_type"] in ("execute_result", "display_data")]
    return dict(shown[-1]) if shown else {}


def _markdown(bundle: dict[str, str]) -> str:
    return bundle.get("text/markdown", bundle.get("text/plain", ""))
