"""Shared fixtures: small arrays, and one tiny study computed for real by the command a user types."""

import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import hypothesis
import numpy as np
import pytest

from tests.browsing import running_chromium, visitor
from tests.long_runs import LONG_RUNS, KilledRun, SlicesRun

# The long runs beside the tests make times mean nothing; and every machine tries the same examples.
hypothesis.settings.register_profile("study", deadline=None, derandomize=True)
hypothesis.settings.load_profile("study")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that do without the tiny study come first: it is computed beside them."""
    items.sort(key=lambda item: "tiny" in getattr(item, "fixturenames", ()))


@pytest.fixture(scope="session", autouse=True)
def long_runs(request, tmp_path_factory) -> Iterator[dict[str, Future]]:
    """The long runs that selected tests ask for, one after another beside the tests, by the name of their fixture."""
    asked = {name for item in request.session.items for name in getattr(item, "fixturenames", ())}
    pool = ThreadPoolExecutor(1)
    runs: dict[str, Future] = {}
    for name, run in LONG_RUNS.items():
        if name in asked:
            runs[name] = pool.submit(run, tmp_path_factory.mktemp(name), runs.get("tiny"))
    yield runs
    pool.shutdown(cancel_futures=True)


@pytest.fixture(scope="session")
def tiny(long_runs) -> Path:
    """Folder of a finished tiny study with its site: `study/` and `site/`."""
    return long_runs["tiny"].result()


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


@pytest.fixture(scope="module")
def chromium():
    with running_chromium() as browser:
        yield browser


@pytest.fixture
def visit(chromium, tiny):
    """Opens pages of the tiny study's site, as of `visitor`."""
    with visitor(chromium, tiny / "site") as visit:
        yield visit


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(11)


@pytest.fixture(autouse=True)
def same_start() -> Iterator[None]:
    """Every test finds torch as if none had trained in this process, and leaves no figure open.

    torch has one thread: several would wait for each other at every step, as the long runs hold the cores.
    """
    if torch := sys.modules.get("torch"):
        torch.set_num_threads(1)
        torch.set_flush_denormal(False)
    yield
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")
