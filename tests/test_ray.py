"""The Ray engine on a local cluster of several nodes: the results of the local engine, also when a node dies in the middle."""

import dataclasses
import os
import pickle
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

ray = pytest.importorskip("ray", reason="Ray is not installed (pip install .[ray])")

from pipeline.data.dataset import load_dataset  # noqa: E402
from pipeline.data.split import EXTERNAL  # noqa: E402
from pipeline.device import Backend  # noqa: E402
from pipeline.engine import Engine  # noqa: E402
from pipeline.errors import UnreadableFile, UserError  # noqa: E402
from pipeline.evaluation.control import control_auc  # noqa: E402
from pipeline.evaluation.evaluate import ScoreJob, score_patients  # noqa: E402
from pipeline.evaluation.fold import FoldJob, SearchPlan, score_fold  # noqa: E402
from pipeline.evaluation.learning_curve import FewerJob, score_after_fewer  # noqa: E402
from pipeline.evaluation.roles import folds_of, splits_of  # noqa: E402
from pipeline.evaluation.running_statistics import train_with_both_losses  # noqa: E402
from pipeline.explanations.browsing import browse_jobs, browse_patients  # noqa: E402
from pipeline.explanations.shortcut import learn_shortcut, plan_shortcut  # noqa: E402
from pipeline.explanations.without_lesions import filled_jobs, score_filled  # noqa: E402
from pipeline.layout import Layout  # noqa: E402
from pipeline.ray_engine import SHIPPED, RayEngine, _moved, _unpack, resources_for  # noqa: E402
from pipeline.settings import load_settings  # noqa: E402
from pipeline.training.loop import Hyperparameters  # noqa: E402
from pipeline.training.trial import run_training  # noqa: E402
from pipeline.training.tune import plan_jobs  # noqa: E402

IGNORED = ("ResourceWarning", "FutureWarning", "DeprecationWarning", "pytest.PytestUnraisableExceptionWarning")  # Ray's own
pytestmark = [pytest.mark.timeout(300), pytest.mark.filterwarnings(*(f"ignore::{name}" for name in IGNORED))]
ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])  # a node cannot import these tests
BACKEND = Backend("cpu", bf16=False, channels_last=True)
DOOMED = "STUDY_TEST_DOOMED"  # in the environment of a node that will be killed


@pytest.fixture(scope="module")
def jobs(tiny):
    """Two trials of each small network on the tiny study."""
    wanted = [(model, Hyperparameters(rate, 0.0, 1.0)) for model in ("CNN2", "CNN1", "DNN1") for rate in (1e-3, 1e-4)]
    return plan_jobs(wanted, 12, load_settings("tiny"), Layout(tiny / "study"), BACKEND, keep_weights=False)


@pytest.fixture
def cluster():
    from ray.cluster_utils import Cluster

    if " " in sys.executable:
        pytest.skip("Ray starts no workers by a Python whose path has a space")
    found = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    yield found
    ray.shutdown()
    found.shutdown()


@pytest.fixture(scope="module")
def fold(tiny):
    """The search and the training of CNN1 while the second fold of the tiny study is tested."""
    root, settings = tiny / "study", load_settings("tiny")
    job = plan_jobs([("CNN1", Hyperparameters(1e-3, 0.0, 1.0))], 2, settings, Layout(root), BACKEND, keep_weights=False)[0]
    splits = splits_of(folds_of(load_dataset(Layout(root)), 5, 1), 1)
    return FoldJob(**vars(job), fold=1, splits=tuple(splits.tolist()), search=SearchPlan("coordinate", settings.grid["CNN1"], 1, 1))


def scores(engine, job) -> list[list[float]]:
    ((_, found),) = engine.run(score_fold, [job])
    return [list(vars(found.chosen).values()), *(values.tolist() for values in found.scores.values())]


def histories(engine, jobs) -> dict[int, list[dict]]:
    return {index: result.history for index, result in engine.run(run_training, jobs)}


def run_until_killed(job):
    """On the doomed node: say that the job has begun, and never end. Elsewhere: train as always."""
    marks = job.root.parent / "marks"
    if DOOMED in os.environ:
        (marks / "begun").touch()
        time.sleep(600)
    return run_training(job)


def time_of_job(job) -> tuple[float, float]:
    start = time.time()
    time.sleep(0.5)
    return start, time.time()


def refuse(job):
    raise UnreadableFile("scan.mha", "broken", "mend it")


def test_a_node_killed_in_the_middle_changes_nothing(cluster, jobs, fold, tiny, capsys):
    with Engine(2) as engine:
        expected, expected_scores = histories(engine, jobs), scores(engine, fold)
    doomed = cluster.add_node(num_cpus=2, env_vars={DOOMED: "1"})
    marks = tiny / "marks"
    marks.mkdir()

    def kill_once_begun() -> None:
        deadline = time.monotonic() + 100
        while not (marks / "begun").exists() and time.monotonic() < deadline:
            time.sleep(0.1)
        if (marks / "begun").exists():
            cluster.remove_node(doomed, allow_graceful=False)

    killer = threading.Thread(target=kill_once_begun)
    with RayEngine(2, cluster.address, 0.0, tiny / "study") as engine:
        killer.start()
        found = {index: result.history for index, result in engine.run(run_until_killed, jobs)}
        killer.join()
        assert scores(engine, fold) == expected_scores
        with pytest.raises(UnreadableFile) as told:
            list(engine.run(refuse, jobs[:1]))
        assert str(told.value) == str(UnreadableFile("scan.mha", "broken", "mend it"))  # one line, without the cluster's traceback
    assert (marks / "begun").exists()
    assert found == expected
    assert "it runs again" in capsys.readouterr().err
    assert not list((tiny / "study").glob(".ray-*"))


def test_a_node_that_does_not_see_the_folder_unpacks_it_once(jobs, fold, tiny, monkeypatch, tmp_path):
    import tempfile

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    root = tiny / "study"
    files = {path.relative_to(root).as_posix(): np.fromfile(path, np.uint8) for pattern in SHIPPED for path in root.glob(pattern)}
    folder = _unpack("key", files)
    assert _unpack("key", files) == folder and folder.parent == tmp_path
    assert (folder / "data" / "patients.csv").read_bytes() == (root / "data" / "patients.csv").read_bytes()
    moved = _moved(dataclasses.replace(jobs[0], save_state=Path("somewhere")), folder)
    assert moved.root == folder and moved.save_state is None
    assert run_training(moved).history == run_training(jobs[0]).history
    assert scores(Engine(0), _moved(fold, folder)) == scores(Engine(0), fold)


def test_every_kind_of_job_finds_all_it_reads_on_such_a_node(tiny, jobs, monkeypatch, tmp_path):
    import tempfile

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    layout, settings = Layout(tiny / "study"), load_settings("tiny")
    folder = _unpack("key", {path.relative_to(layout.root).as_posix(): np.fromfile(path, np.uint8)
                             for pattern in SHIPPED for path in layout.root.glob(pattern)})
    planted = next(job for job in plan_shortcut(settings, layout, BACKEND) if job.model != "ResNet18og")
    cnn = next(job for job in jobs if job.model == "CNN1")
    for function, job in (
        (score_patients, ScoreJob(layout.root, "CNN1", 0, EXTERNAL, BACKEND, 1)),
        (control_auc, cnn), (train_with_both_losses, cnn), (score_after_fewer, FewerJob(**vars(cnn), share=0.5)),
        (browse_patients, browse_jobs(layout, ["CNN1"], BACKEND)[0]),
        (score_filled, filled_jobs(layout, 1, BACKEND, 2)[0]), (learn_shortcut, planted),
    ):
        assert pickle.dumps(function(_moved(job, folder))) == pickle.dumps(function(job)), function.__name__


def test_a_job_asks_for_what_it_needs_and_for_no_more_than_a_node_has(jobs):
    job, largest = dataclasses.replace(jobs[0], memory=4e9), {"CPU": 8.0, "GPU": 0.0, "memory": 16e9}
    assert resources_for(job, 2, 0.0, largest) == {"num_cpus": 2, "memory": 4_500_000_000}
    assert resources_for(job, 16, 0.0, {**largest, "memory": 1e9}) == {"num_cpus": 8, "memory": 1_000_000_000}
    assert resources_for("unknown", 1, 0.0, largest) == {"num_cpus": 1, "memory": 1_000_000_000}
    assert resources_for(job, 2, 0.0, {"CPU": 0.0, "GPU": 0.0, "memory": 0.0}) == {"num_cpus": 2, "memory": 0}  # nodes join later
    assert resources_for(job, 2, 0.5, largest) == {"num_gpus": 0.5}


def test_jobs_wait_for_memory_instead_of_filling_it(cluster, jobs, tiny):
    """Three jobs that take most of a node's memory run one after another, though there are cores for all."""
    cluster.add_node(num_cpus=4, memory=10**12)  # more than the first node has
    with RayEngine(2, cluster.address, 0.0, tiny / "study") as engine:
        large = [dataclasses.replace(job, memory=9e11) for job in jobs[:3]]
        spans = [span for _, span in engine.run(time_of_job, large)]
    spans.sort()
    assert all(end <= start for (_, end), (start, _) in zip(spans, spans[1:], strict=False))


def test_where_no_node_has_a_gpu_a_notice_says_so_once(cluster, tiny, capsys):
    engine = RayEngine(2, cluster.address, 0.5, tiny / "study")
    engine._largest_node()
    assert "no node of the cluster has 0.5 of a GPU; jobs wait until one joins" in capsys.readouterr().err
    engine._largest_node()
    assert not capsys.readouterr().err  # said once
    engine.__exit__(None, None, None)


def test_a_python_whose_path_has_a_space_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "executable", "/my study/.venv/bin/python")
    with pytest.raises(UserError, match="path has a space"):
        RayEngine(2, None, 0.0, tmp_path)


def test_no_cluster_is_one_line(tmp_path):
    with pytest.raises(UserError, match="no Ray cluster answers there"):
        RayEngine(1, "127.0.0.1:1", 0.0, tmp_path)
