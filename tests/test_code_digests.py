"""What every step of a study computes with counts among its code: a change of any of it makes the step's results stale."""

import ast

import pytest

from pipeline.study import RUNNERS
from pipeline.units import CODE
from tests.long_runs import ROOT

PIPELINE = ROOT / "pipeline"
# What moves work and files about, and changes no number.
NEUTRAL = {"errors.py", "layout.py", "records.py", "settings.py", "progress.py", "engine.py", "memory.py", "lock.py", "ledger.py",
           "units.py", "__init__.py", "training/unfinished.py"}


def imported(tree: ast.AST) -> set[str]:
    """The modules of the pipeline that a piece of code imports, as paths within it."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "pipeline":
            inside = "/".join(node.module.split(".")[1:])
            names = [f"{inside}/{alias.name}.py".lstrip("/") for alias in node.names]
            found |= {name if (PIPELINE / name).exists() else f"{inside}.py" for name in names}
    return found


def reached(start: set[str]) -> set[str]:
    """These modules and all that they import in turn, but for what is neutral."""
    found, waiting = set(), start - NEUTRAL
    while waiting:
        found |= waiting
        waiting = {name for module in waiting for name in imported(ast.parse((PIPELINE / module).read_text(encoding="utf-8")))}
        waiting -= found | NEUTRAL
    return found


def of_runner(name: str) -> set[str]:
    """What a function of the study imports, and the functions of the study that it calls."""
    functions = {node.name: node for node in ast.parse((PIPELINE / "study.py").read_text(encoding="utf-8")).body
                 if isinstance(node, ast.FunctionDef)}
    called = {node.id for node in ast.walk(functions[name]) if isinstance(node, ast.Name)} & set(functions) - {name}
    return imported(functions[name]).union(*(of_runner(other) for other in called))


def covered(parts: tuple[str, ...]) -> set[str]:
    return {path.relative_to(PIPELINE).as_posix() for part in parts
            for path in ((PIPELINE / part).rglob("*.py") if (PIPELINE / part).is_dir() else [PIPELINE / part])}


@pytest.mark.parametrize("step", RUNNERS)
def test_a_step_counts_all_the_code_that_it_computes_with(step):
    stage = {"external data": "data", "compare": "evaluate"}.get(step, step)
    assert reached(of_runner(RUNNERS[step].__name__)) - covered(CODE[stage]) == set()


def test_every_part_that_is_counted_exists():
    assert all((PIPELINE / part).exists() for parts in CODE.values() for part in parts)
