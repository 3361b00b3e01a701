"""Work on a GPU recorded once and replayed: a CUDA graph, whose hundreds of small kernels cost one launch.

A step of a small network, or of a ResNet18 with few slices, takes a GPU less time than a CPU core needs to launch it.
"""

from collections.abc import Callable
from contextlib import suppress

import torch

from pipeline.device import Backend


def can_record(backend: Backend, data: torch.Tensor) -> bool:
    """Whether work on these data can be recorded: on a GPU, in whose memory they lie."""
    return backend.records and data.device.type == backend.device


class Recorder:
    """Does `work(batch)`, which but for its batch reads and writes the same tensors each time: for each size of a batch as it is the
    first time, recorded the second, and replayed from then on.

    The first time lets libraries choose their kernels and take their memory, which cannot be recorded. recording: whether the device
    can record; otherwise, and where its memory does not hold the recording, work is done as it is every time.
    """

    def __init__(self, recording: bool):
        self._stream = torch.cuda.Stream() if recording else None
        self._held: dict[int, torch.Tensor] = {}  # where the recordings look for their batches
        self._graphs: dict[int, torch.cuda.CUDAGraph] = {}

    def run(self, batch: torch.Tensor, work: Callable[[torch.Tensor], None]) -> None:
        """Do `work` on a batch, indices (n,)."""
        size = len(batch)
        if not self._stream:
            work(batch)
        elif size not in self._held:
            self._held[size] = torch.empty_like(batch)
            self._aside(lambda: work(batch))
        else:
            held = self._held[size].copy_(batch)
            if size not in self._graphs:
                self._aside(lambda: self._record(size, lambda: work(held)))
            self._graphs[size].replay() if size in self._graphs else work(held)

    def _aside(self, work: Callable[[], None]) -> None:
        """On a stream of its own: the current one may be one that cannot be recorded."""
        stream = self._stream
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            work()
        torch.cuda.current_stream().wait_stream(stream)

    def _record(self, size: int, work: Callable[[], None]) -> None:
        """Not by `torch.cuda.graph`, which gives all cached memory back first and waits for the device."""
        pools = [other.pool() for other in self._graphs.values()][:1]
        for _ in range(2):
            graph = torch.cuda.CUDAGraph()
            graph.capture_begin(*pools)
            try:
                work()
            except torch.OutOfMemoryError:  # a recording has memory of its own, beside what is kept for others
                with suppress(RuntimeError):
                    graph.capture_end()
                torch.cuda.empty_cache()
            else:
                graph.capture_end()
                self._graphs[size] = graph
                return
        self._stream = None
