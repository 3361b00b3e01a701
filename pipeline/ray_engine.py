"""Runs independent jobs on a Ray cluster: the GPUs of one workstation, or the nodes of a Slurm allocation.

The results are those of the local engine, bit for bit on equal CPUs: a job is a pure function of its settings and the study's
folder. Where a node does not see that folder, its files are put into Ray's object store once, and each node unpacks them once.
Ray is an optional extra: `pip install .[ray]`.
"""

import contextlib
import hashlib
import os
import socket
import sys
import tempfile
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path

import numpy as np

from pipeline.engine import WORKER_ENVIRONMENT, Engine, run_and_let_go
from pipeline.errors import UserError
from pipeline.memory import LOADED, WORKING

MOST_RUNS = 5  # of one job, when workers are lost again and again
SHIPPED = ("data/*", "external/data/*", "pretraining/weights.safetensors", "models/*/weights.safetensors",
           "models/*/runs/*/weights.safetensors")


class RayEngine(Engine):
    """An engine whose portable jobs (trials, finals, scores, saliency of patients) run on a Ray cluster, the others here.

    processes: as for Engine; address: of a running cluster, `auto` or `host:port`; None starts one on this machine;
    gpu_share: the share of a GPU that a job takes, 0 on the CPU; root: the study's folder.
    Raises UserError where Ray is not installed or the cluster cannot be reached.
    """

    def __init__(self, processes: int, address: str | None, gpu_share: float, root: Path):
        super().__init__(processes)
        self.root, self.gpu_share = root.absolute(), gpu_share
        self._ray = _connect(address)
        self._mark = self.root / f".ray-{uuid.uuid4().hex}"
        self._packed: tuple[str, object] | None = None
        self._told = False  # that no node has a GPU

    def __exit__(self, *exception: object) -> None:
        super().__exit__(*exception)
        self._ray.shutdown()

    def load_torch(self) -> None:
        """Ray's workers load torch when their first job comes."""

    def run(self, function: Callable, jobs: Sequence, width: Sequence[int] | None = None) -> Iterator[tuple[int, object]]:
        """As Engine.run; a job whose worker or node is lost runs again elsewhere, with a notice."""
        if not jobs or not getattr(jobs[0], "portable", False):
            yield from super().run(function, jobs, width)
            return
        self.root.mkdir(parents=True, exist_ok=True)
        self._mark.touch()
        try:
            yield from self._run_on_cluster(function, jobs, width or [1] * len(jobs))
        finally:
            self._mark.unlink(missing_ok=True)

    def _run_on_cluster(self, function: Callable, jobs: Sequence, width: Sequence[int]) -> Iterator[tuple[int, object]]:
        ray = self._ray
        key, packed = self._pack()
        task = ray.remote(max_retries=0)(_run_at_node)

        jobs = [_absolute(job) for job in jobs]
        largest = self._largest_node()

        def submit(index: int):
            return task.options(**resources_for(jobs[index], width[index], self.gpu_share, largest)).remote(
                function, jobs[index], str(self._mark), key, packed)

        running = {submit(index): index for index in range(len(jobs))}
        runs = [1] * len(jobs)
        while running:
            (done,), _ = ray.wait(list(running), num_returns=1)
            index = running.pop(done)
            try:
                result = ray.get(done)
            except ray.exceptions.RayTaskError as error:
                raise error.cause if isinstance(error.cause, UserError) else error.as_instanceof_cause() from None
            except ray.exceptions.RayError as error:
                runs[index] += 1
                if runs[index] > MOST_RUNS:
                    raise UserError(f"a job was lost {MOST_RUNS} times ({type(error).__name__}); look at the cluster's own log") from error
                print(f"notice: job {index + 1} of {len(jobs)} was lost with its worker ({type(error).__name__}); it runs again",
                      file=sys.stderr)
                running[submit(index)] = index
                continue
            yield index, result

    def _largest_node(self) -> dict[str, float]:
        """By resource the most that a node has; a notice where jobs have to wait for a GPU to join."""
        alive = [node["Resources"] for node in self._ray.nodes() if node["Alive"]]
        most = {name: max((node.get(name, 0.0) for node in alive), default=0.0) for name in ("CPU", "GPU", "memory")}
        if most["GPU"] < self.gpu_share and not self._told:
            self._told = True
            print(f"notice: no node of the cluster has {self.gpu_share:g} of a GPU; jobs wait until one joins", file=sys.stderr)
        return most

    def _pack(self) -> tuple[str, object]:
        """The study's files as one object of the store, made anew when they changed; nothing where every node sees them."""
        ray = self._ray
        looks = ray.remote(num_cpus=0, max_retries=0, scheduling_strategy="SPREAD")(_sees)
        nodes = sum(node["Alive"] for node in ray.nodes())
        if all(ray.get([looks.remote(str(self._mark)) for _ in range(2 * nodes)])):
            return "", None
        paths = sorted(path for pattern in SHIPPED for path in self.root.glob(pattern) if path.is_file())
        stamps = [[path.relative_to(self.root).as_posix(), path.stat().st_size, path.stat().st_mtime_ns] for path in paths]
        key = hashlib.sha256(repr(stamps).encode()).hexdigest()[:16]
        if self._packed is None or self._packed[0] != key:
            files = {path.relative_to(self.root).as_posix(): np.fromfile(path, np.uint8) for path in paths}
            self._packed = (key, ray.put(files))
        return self._packed


def resources_for(job, width: int, gpu_share: float, largest: Mapping[str, float]) -> dict[str, float]:
    """What Ray sets aside for a job: its share of a GPU, or its cores and memory.

    largest: by resource the most that a node has, as `CPU` and `memory` in bytes. Asked for more, Ray would wait for ever.
    """
    if gpu_share:
        return {"num_gpus": gpu_share}
    memory = LOADED + getattr(job, "memory", WORKING)
    return {"num_cpus": min(width, largest["CPU"] or width), "memory": int(min(memory, largest["memory"]))}


def _connect(address: str | None):
    try:
        import ray
    except ImportError:
        raise UserError("--engine ray needs Ray; install it with: pip install .[ray]") from None
    if not address and " " in sys.executable:  # they would end as they begin, and Ray start others, without end
        raise UserError(f"Ray starts no workers by a Python whose path has a space ({sys.executable}); "
                        "make the environment in another folder, or leave --engine ray out")
    import logging

    try:
        if address and ":" in address:  # Ray itself would knock for minutes
            host, _, port = address.rpartition(":")
            socket.create_connection((host.removeprefix("ray://"), int(port)), timeout=10).close()
        ray.init(address=address, logging_level=logging.ERROR, log_to_driver=False, runtime_env={"env_vars": _environment()},
                 **({} if address else {"include_dashboard": False}))
    except (ConnectionError, RuntimeError, ValueError, OSError) as error:
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise UserError(f"--address {address}: no Ray cluster answers there ({first}); start one with: ray start --head") from None
    return ray


def _environment() -> dict[str, str]:
    """What the workers find in their environment: the settings of local workers, and this package where it is not installed."""
    package = str(Path(__file__).parents[1])
    return {**WORKER_ENVIRONMENT, "PYTHONPATH": os.pathsep.join(filter(None, [package, os.environ.get("PYTHONPATH", "")]))}


def _absolute(job):
    """The job with whole paths: a node works in another folder than this process."""
    paths = {field.name: value.absolute() for field in fields(job) if isinstance(value := getattr(job, field.name), Path)}
    return replace(job, **paths)


def _sees(mark: str) -> bool:
    return Path(mark).exists()


def _run_at_node(function: Callable, job, mark: str, key: str, packed: dict | None):
    """On a node: run the job in the study's folder where the node sees it, else in a copy that is unpacked once per node."""
    if not Path(mark).exists():
        if packed is None:
            raise UserError("a node joined that does not see the study's folder; start the command again")
        job = _moved(job, _unpack(key, packed))
    return run_and_let_go(function, job)


def _unpack(key: str, packed: dict) -> Path:
    folder = Path(tempfile.gettempdir()) / f"covid-ct-study-{key}"
    if not folder.exists():
        building = Path(tempfile.mkdtemp(dir=folder.parent, prefix=folder.name))
        for name, content in packed.items():
            (building / name).parent.mkdir(parents=True, exist_ok=True)
            np.asarray(content).tofile(building / name)
        with contextlib.suppress(OSError):  # another worker of this node may have been faster
            building.rename(folder)
    return folder


def _moved(job, root: Path):
    """The job on another folder. States of trials stay where they are: a run from the beginning gives the same bits."""
    known = {field.name for field in fields(job)}
    away = {name: value for name, value in (("save_state", None), ("start", None), ("history", ())) if name in known}
    return replace(job, root=root, **away)
