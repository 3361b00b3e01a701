"""Shared fixtures: small arrays, and one tiny study computed for real by the command a user types."""

import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import hypothesis
import numpy as np
import pytest

from tests.long_runs import LONG_RUNS, KilledRun, SlicesRun, run_command

# The long runs beside the tests make times mean nothing; and every machine tries the same examples.
hypothesis.settings.register_profile("study", deadline=None, derandomize=True)
hypothesis.settings.load_profile("study")


@pytest.fixture(scope="session")
def tiny(tmp_path_factory) -> Path:
    """Folder of a finished tiny study with its site: `study/` and `site/`."""
    folder = tmp_path_factory.mktemp("tiny")
    done = run_command("all", "--profile", "tiny", "--device", "cpu", "--out", folder / "study", "--site", folder / "site",
                       "--renderer", "embedded")
    assert done.returncode == 0, done.stderr
    assert "Warning" not in done.stderr
    return folder


@pytest.fixture(scope="session", autouse=True)
def long_runs(request, tmp_path_factory) -> Iterator[dict[str, Future]]:
    """The long runs that selected tests ask for, one after another beside the tests, by the name of their fixture."""
    asked = {name for item in request.session.items for name in getattr(item, "fixturenames", ())}
    wanted = [name for name in LONG_RUNS if name in asked]
    try:
        tiny = request.getfixturevalue("tiny") if wanted else None
    except Exception:  # the tests that need it fail with it; the others run
        wanted = []
    pool = ThreadPoolExecutor(1)
    yield {name: pool.submit(LONG_RUNS[name], tmp_path_factory.mktemp(name), tiny) for name in wanted}
    pool.shutdown(cancel_futures=True)


@pytest.fixture(scope="session")
def killed_run(tiny, long_runs) -> KilledRun:
    return long_runs["killed_run"].result()


@pytest.fixture(scope="session")
def slices_run(tiny, long_runs) -> SlicesRun:
    return long_runs["slices_run"].result()


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
