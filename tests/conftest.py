"""Shared fixtures: small arrays, and one tiny study computed for real by the command a user types."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parent.parent


def run_command(*words: str, module: str = "pipeline", timeout: int = 600) -> subprocess.CompletedProcess:
    """Run `python -m MODULE WORDS` from the project's root and return what it printed."""
    return subprocess.run([sys.executable, "-m", module, *map(str, words)], cwd=ROOT, capture_output=True, text=True,
                          timeout=timeout, check=False)


@pytest.fixture(scope="session")
def tiny(tmp_path_factory) -> Path:
    """Folder of a finished tiny study with its site: `study/` and `site/`."""
    folder = tmp_path_factory.mktemp("tiny")
    done = run_command("all", "--profile", "tiny", "--device", "cpu", "--out", folder / "study", "--site", folder / "site",
                       "--renderer", "embedded")
    assert done.returncode == 0, done.stderr
    assert "Warning" not in done.stderr
    return folder


@pytest.fixture(scope="session")
def study(tiny):
    """The tiny study as the report reads it."""
    from report.study import Study

    return Study(tiny / "study")


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(11)


@pytest.fixture
def plain_arithmetic():
    """What a job sets for its own process is set back for the tests after it."""
    import torch

    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)
    torch.set_flush_denormal(False)


@pytest.fixture(autouse=True)
def close_figures():
    """No test leaves a figure open."""
    yield
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")
