"""Runs independent jobs: on this machine's cores in worker processes, or one after another in this process.

A job is a function of one picklable argument. Where it has an attribute `memory`, that many bytes are counted for its work.
"""

import multiprocessing
import os
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool

from pipeline.errors import LostWorker
from pipeline.memory import LOADED, WORKING, fitting_processes, free_memory, give_back_freed, idle_memory

# What worker processes find in their environment when they load numpy and torch.
WORKER_ENVIRONMENT = {
    # One thread per process; torch is told its threads per job.
    **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"), "1"),
    # Keep freed memory while a job runs: otherwise every training step gives its activations back to the kernel and takes them
    # again page by page (10,000 page faults a step with ResNet18). Systems without glibc ignore these.
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": str(2**40),
    "MALLOC_TOP_PAD_": str(64 * 2**20),
}
# What takes seconds to load, torchvision with torch: on Linux one process does it, and the workers are its copies, which is not safe or
# not possible elsewhere.
LOADED_ONCE = ["torchvision", "captum.attr", "sklearn.metrics"]
COPIES = sys.platform == "linux"


def core_count() -> int:
    """Cores this process may use, within the limits of a container."""
    from joblib import cpu_count

    return cpu_count()


def _end_with_parent() -> None:
    """In a worker: end when the process that started it does. Killed, that one cannot say so, and this one would wait for ever."""

    def watch() -> None:
        multiprocessing.parent_process().join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _start_loading() -> bool:
    """Start the process whose copies the workers will be; False where it cannot be reached, as in a temporary folder of a long name."""
    from multiprocessing import forkserver

    multiprocessing.set_forkserver_preload(LOADED_ONCE)
    try:
        forkserver.ensure_running()
    except OSError:
        return False
    return True


def _load_torch() -> None:
    import torchvision  # noqa: F401


class Engine:
    """Runs jobs and yields results as they come; a context manager that ends its worker processes and leaves the environment as it was.

    Raises LostWorker where the system has killed one of them.

    processes: worker processes, fewer where they would not fit into the memory; 0 runs every job in this process (a GPU is shared
    by nobody). memory: bytes they may take together; what is free where it is not given.
    """

    def __init__(self, processes: int, memory: float | None = None):
        self.wanted = processes
        self._memory = free_memory() if memory is None else memory
        self._count_workers(copies=COPIES)
        self._pool: ProcessPoolExecutor | None = None
        self._method = "spawn"  # of starting workers, as of multiprocessing
        self._with_torch = False
        self._found: dict[str, str | None] = {}  # in the environment, before the workers' settings

    def _count_workers(self, copies: bool) -> None:
        self.processes = int(min(self.wanted, fitting_processes(self._memory, copies)))
        self._room = self._memory - idle_memory(self.processes, copies)

    def __enter__(self) -> "Engine":
        return self

    def __exit__(self, *exception: object) -> None:
        if self._pool:
            self._pool.shutdown(wait=exception[0] is None, cancel_futures=True)
            if exception[0] is not None:
                self._stop_workers()
        for name, value in self._found.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value

    def run(self, function: Callable, jobs: Sequence, width: Sequence[int] | None = None) -> Iterator[tuple[int, object]]:
        """Yield (index of the job, its result) in the order of completion.

        width: processes' worth of cores each job takes (its threads), 1 where not given.
        """
        if self.processes == 0:
            for index, job in enumerate(jobs):
                yield index, function(job)
            return
        width = width or [1] * len(jobs)
        for threads in sorted(set(width)):
            group = [index for index, value in enumerate(width) if value == threads]
            yield from self._run_group(function, jobs, group, max(self.processes // threads, 1))

    def load_torch(self) -> None:
        """From now on jobs need torch: let it be loaded for the worker processes, which takes seconds, while this process does the same."""
        if self.processes == 0 or self._with_torch:
            return
        self._with_torch = True
        if self._pool:
            self._pool.shutdown()  # of workers without it
            self._pool = None
        self._set_environment()
        if COPIES and _start_loading():
            self._method = "forkserver"
        else:
            self._count_workers(copies=False)
            for _ in range(self.processes):
                self._open_pool().submit(_load_torch)

    def _run_group(self, function: Callable, jobs: Sequence, group: list[int], at_once: int) -> Iterator[tuple[int, object]]:
        pool = self._open_pool()
        waiting = list(reversed(group))
        running: dict[Future, int] = {}

        def start() -> None:
            while waiting and len(running) < at_once and self._fits([jobs[waiting[-1]], *(jobs[index] for index in running.values())]):
                index = waiting.pop()
                running[_submitted(pool, function, jobs[index])] = index

        start()
        while running:
            done = sorted(wait(running, return_when=FIRST_COMPLETED).done, key=_failed)  # what one failed with comes after what others gave
            ended = [(running.pop(future), future) for future in done]
            if not _failed(done[-1]):
                start()  # now, as whoever asked for the results may be busy with them for a while: weights are to be written
            for index, future in ended:
                yield index, _result(future)

    def _fits(self, jobs: Sequence) -> bool:
        """Whether these jobs may run at the same time; one alone always may."""
        return len(jobs) == 1 or sum(getattr(job, "memory", WORKING) for job in jobs) <= self._room

    def _open_pool(self) -> ProcessPoolExecutor:
        if self._pool is None:
            self._set_environment()
            self._pool = ProcessPoolExecutor(
                self.processes, mp_context=multiprocessing.get_context(self._method), initializer=_end_with_parent)
        return self._pool

    def _set_environment(self) -> None:
        """For as long as the engine is open: workers start one by one, whenever there is work for them."""
        if not self._found:
            self._found = {name: os.environ.get(name) for name in WORKER_ENVIRONMENT}
            os.environ.update(WORKER_ENVIRONMENT)

    def _stop_workers(self) -> None:
        for process in list((getattr(self._pool, "_processes", None) or {}).values()):
            process.terminate()


def run_and_let_go(function: Callable, job) -> object:
    """In a worker: run a job, and keep no memory beyond what a worker is counted with."""
    try:
        return function(job)
    finally:
        give_back_freed(LOADED + WORKING)


def _submitted(pool: ProcessPoolExecutor, function: Callable, job) -> Future:
    try:
        return pool.submit(run_and_let_go, function, job)
    except BrokenProcessPool:
        raise LostWorker from None


def _failed(future: Future) -> bool:
    return future.exception() is not None


def _result(future: Future) -> object:
    try:
        return future.result()
    except BrokenProcessPool:
        raise LostWorker from None
