"""Work on a GPU recorded once and replayed: a CUDA graph, whose hundreds of small kernels cost one launch.

A step of a small network, or of a ResNet18 with few slices, takes a GPU less time than a CPU core needs to launch it.
"""

from collections.abc import Callable

import torch


class Recorder:
    """Does `work(batch)`, which but for its batch reads and writes the same tensors each time: for each size of a batch as it is the
    first time, recorded the second, and replayed from then on.

    The first time lets libraries choose their kernels and take their memory, which cannot be recorded. recording: whether the device
    can record; otherwise, and where its memory does not hold the recording, work is done as it is every time.
    """

    def __init__(self, recording: bool):
        self._recording = recording
        self._held: dict[int, torch.Tensor] = {}  # where the recordings look for their batches
        self._graphs: dict[int, torch.cuda.CUDAGraph] = {}

    def run(self, batch: torch.Tensor, work: Callable[[torch.Tensor], None]) -> None:
        """Do `work` on a batch, indices (n,)."""
        size = len(batch)
        if not self._recording:
            work(batch)
        elif size not in self._held:
            self._held[size] = torch.empty_like(batch)
            _aside(lambda: work(batch))
        else:
            held = self._held[size].copy_(batch)
            if size not in self._graphs:
                self._record(size, lambda: work(held))
            self._graphs[size].replay() if size in self._graphs else work(held)

    def _record(self, size: int, work: Callable[[], None]) -> None:
        graph = torch.cuda.CUDAGraph()
        try:
            with torch.cuda.graph(graph, pool=next((other.pool() for other in self._graphs.values()), None)):
                work()
        except torch.OutOfMemoryError:  # a recording has memory of its own, beside what was freed since
            self._recording = False
            torch.cuda.empty_cache()
        else:
            self._graphs[size] = graph


def _aside(work: Callable[[], None]) -> None:
    """On a stream of its own, as a recording will be."""
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        work()
    torch.cuda.current_stream().wait_stream(stream)
