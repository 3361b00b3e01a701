"""Where the time of one epoch goes: data, forward, backward, optimiser, evaluation, writing."""

import tempfile
import time
from pathlib import Path

import torch
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits

from pipeline.benchmarks.timing import run_until_done
from pipeline.device import Backend
from pipeline.models.placing import place
from pipeline.training.adam import adam
from pipeline.training.loop import TrainingData, batches
from pipeline.training.predict import as_input, predict_slices
from pipeline.training.state import capture, write_state

PARTS = ("data", "forward", "backward", "optimiser", "evaluation", "writing")


def time_parts(model: nn.Module, data: TrainingData, batch_size: int, backend: Backend) -> dict[str, float]:
    """Seconds of each of PARTS over one epoch, after a warm-up epoch; the same calls as `fit_network` makes."""
    place(model, backend)
    data = data.near(backend)
    optimizer = adam(model.parameters(), 1e-4, 0.0, backend.device, False)
    _epoch(model, data, optimizer, batch_size, backend)
    return _epoch(model, data, optimizer, batch_size, backend)


def _epoch(model: nn.Module, data: TrainingData, optimizer, batch_size: int, backend: Backend) -> dict[str, float]:
    seconds = dict.fromkeys(PARTS, 0.0)
    state: dict = {}

    def timed(part: str, work) -> None:
        start = time.perf_counter()
        run_until_done(work, backend.device)
        seconds[part] += time.perf_counter() - start

    def load(batch: torch.Tensor) -> None:
        state["images"], state["labels"] = as_input(data.images[batch], backend), data.labels[batch].to(backend.device)

    def forward() -> None:
        with backend.autocast():
            logits = model(state["images"])
        state["loss"] = binary_cross_entropy_with_logits(logits.float(), state["labels"])

    def backward() -> None:
        optimizer.zero_grad(set_to_none=True)
        state["loss"].backward()

    model.train()
    for batch in batches(len(data.images), batch_size, torch.Generator().manual_seed(0), data.images.device):
        timed("data", lambda batch=batch: load(batch))
        timed("forward", forward)
        timed("backward", backward)
        timed("optimiser", optimizer.step)
    timed("evaluation", lambda: predict_slices(model, data.watched, backend))
    with tempfile.TemporaryDirectory() as folder:
        timed("writing", lambda: write_state(Path(folder) / "state.safetensors", capture(model, optimizer, {})))
    return seconds
