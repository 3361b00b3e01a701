"""Times work the same way everywhere: a warm-up, then the median of repetitions, or the shortest where a limit is sought.

What is compared takes turns, so that a machine that slows down for a while slows both sides.
"""

import statistics
import time
from collections.abc import Callable, Sequence

REPETITIONS = 3


def medians_in_turn(works: Sequence[Callable[[], object]], device: str, repetitions: int = REPETITIONS,
                    warm_ups: Sequence[Callable[[], object]] = ()) -> list[float]:
    """Median wall times, in seconds, of several works that take turns, after a warm-up; on a GPU until the device is done.

    warm_ups: shorter works to warm up with; the works themselves where there are none.
    """
    for work in warm_ups or works:
        run_until_done(work, device)
    rounds = [[_seconds(work, device) for work in works] for _ in range(repetitions)]
    return [statistics.median(times) for times in zip(*rounds, strict=True)]


def shortest_seconds(work: Callable[[], object], device: str, repetitions: int) -> float:
    """The shortest of the same times: what the machine can do, which a disturbance only hides."""
    run_until_done(work, device)
    return min(_seconds(work, device) for _ in range(repetitions))


def _seconds(work: Callable[[], object], device: str) -> float:
    start = now(device)
    work()
    return now(device) - start


def run_until_done(work: Callable[[], object], device: str) -> None:
    """Run `work` and wait for what it left running on the device."""
    work()
    _wait_for(device)


def now(device: str) -> float:
    """The time, in seconds, at which the device has done what was asked of it."""
    _wait_for(device)
    return time.perf_counter()


def _wait_for(device: str) -> None:
    if device == "cuda":
        import torch

        torch.cuda.synchronize()
