"""Times work the same way everywhere: a warm-up, then the median of repetitions, or the shortest where a limit is sought."""

import statistics
import time
from collections.abc import Callable

REPETITIONS = 3


def median_seconds(work: Callable[[], object], device: str = "cpu", repetitions: int = REPETITIONS) -> float:
    """Median wall time of `work` after one warm-up, in seconds; on a GPU until the device is done."""
    return statistics.median(_times(work, device, repetitions))


def shortest_seconds(work: Callable[[], object], device: str, repetitions: int) -> float:
    """The shortest of the same times: what the machine can do, which a disturbance only hides."""
    return min(_times(work, device, repetitions))


def _times(work: Callable[[], object], device: str, repetitions: int) -> list[float]:
    run_until_done(work, device)
    times = []
    for _ in range(repetitions):
        start = time.perf_counter()
        run_until_done(work, device)
        times.append(time.perf_counter() - start)
    return times


def run_until_done(work: Callable[[], object], device: str) -> None:
    """Run `work` and wait for what it left running on the device."""
    work()
    if device == "cuda":
        import torch

        torch.cuda.synchronize()
