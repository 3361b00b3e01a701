"""Who may import whom: the pipeline never draws, the report never computes."""

import ast

import pytest

from tests.long_runs import ROOT

COMPUTING = {"torch", "torchvision", "captum", "sklearn", "skimage", "scipy", "SimpleITK"}
DRAWING = {"matplotlib", "jinja2", "report"}
SHARED = {"pipeline.errors", "pipeline.layout", "pipeline.records"}


def imports_of(path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found.add(node.module)
    return found


def modules(package: str):
    return sorted((ROOT / package).rglob("*.py"))


@pytest.mark.parametrize("path", modules("pipeline"), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_the_pipeline_never_draws(path):
    assert not {name.split(".")[0] for name in imports_of(path)} & DRAWING


@pytest.mark.parametrize("path", modules("report"), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_the_report_never_computes(path):
    names = imports_of(path)
    assert not {name.split(".")[0] for name in names} & COMPUTING
    assert {name for name in names if name.split(".")[0] == "pipeline"} <= SHARED
    if path.name != "study.py":
        assert "pipeline.records" not in names, "artifacts are read in report/study.py alone"


@pytest.mark.parametrize("path", [*ROOT.glob("pipeline/**/__init__.py"), *ROOT.glob("report/**/__init__.py")],
                         ids=lambda path: path.relative_to(ROOT).as_posix())
def test_package_files_hold_a_docstring_alone(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert len(tree.body) == 1 and ast.get_docstring(tree)


def test_every_module_says_what_it_is():
    for path in modules("pipeline") + modules("report"):
        assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))), path


def test_no_drawer_and_no_shadow_of_the_standard_library():
    names = {path.stem for path in modules("pipeline") + modules("report")}
    assert not names & {"utils", "util", "helpers", "common", "logging", "inspect", "list", "types", "statistics"}
