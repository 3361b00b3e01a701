"""Shared fixtures: small arrays, and one tiny study computed for real by the command a user types."""

import os
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import hypothesis
import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from pipeline.layout import Layout
from tests.browsing import running_chromium, visitor
from tests.long_runs import LONG_RUNS, KilledRun, SlicesRun, carry_out, copy_study, result_of

# The long runs beside the tests make times mean nothing; and every machine tries the same examples.
hypothesis.settings.register_profile("study", deadline=None, derandomize=True)
hypothesis.settings.load_profile("study")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that do without the tiny study come first: it is computed beside them."""
    items.sort(key=lambda item: "tiny" in getattr(item, "fixturenames", ()))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    from tests.dealing import DealtInOrder

    config.option.loadscopereorder = False  # those that wait for the tiny study stay last
    return DealtInOrder(config, log)


@pytest.fixture(scope="session", autouse=True)
def long_runs(request, tmp_path_factory) -> Iterator[Path]:
    """Folder of the long runs that selected tests ask for: one after another beside the tests, by the first of the tests' processes."""
    worker = os.environ.get("PYTEST_XDIST_WORKER")
    folder = tmp_path_factory.getbasetemp().parent if worker else tmp_path_factory.getbasetemp()
    asked = {name for item in request.session.items for name in getattr(item, "fixturenames", ())}
    with ThreadPoolExecutor(1) as pool:
        if worker in (None, "gw0"):
            for name in filter(asked.__contains__, LONG_RUNS):
                pool.submit(carry_out, name, folder)
        yield folder
        pool.shutdown(cancel_futures=worker is None)  # other processes may still wait for them


@pytest.fixture(scope="session")
def tiny(long_runs) -> Path:
    """Folder of a finished tiny study with its site: `study/` and `site/`."""
    return result_of("tiny", long_runs)


@pytest.fixture(scope="session")
def killed_run(tiny, long_runs) -> KilledRun:
    return result_of("killed_run", long_runs)


@pytest.fixture(scope="session")
def slices_run(tiny, long_runs) -> SlicesRun:
    return result_of("slices_run", long_runs)


@pytest.fixture(scope="session")
def study(tiny):
    """The tiny study as the report reads it."""
    from report.study import Study

    return Study(tiny / "study")


@pytest.fixture
def copied(tiny, tmp_path) -> Layout:
    """A copy of the tiny study, as of `copy_study`."""
    return Layout(copy_study(tiny / "study", tmp_path / "study"))


@pytest.fixture(scope="module")
def chromium():
    with running_chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def idle_windows(chromium) -> list:
    return []


@pytest.fixture
def visit(chromium, idle_windows, tiny):
    """Opens pages of the tiny study's site, as of `visitor`."""
    with visitor(chromium, tiny / "site", idle_windows) as visit:
        yield visit


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(11)


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    """For the linear algebra of numpy and scipy: several threads would wait for each other at every step, as other runs hold the cores."""
    with threadpool_limits(1):
        yield


@pytest.fixture(autouse=True)
def same_start() -> Iterator[None]:
    """Every test finds torch as if none had trained in this process, with one thread, and leaves no figure open."""
    if torch := sys.modules.get("torch"):
        torch.set_num_threads(1)
        torch.set_flush_denormal(False)
    yield
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")
