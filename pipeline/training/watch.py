"""The same slices scored again and again, as the validation slices are after every epoch."""

import torch
from torch import nn

from pipeline.device import Backend
from pipeline.training.predict import as_input, gpu_batch, score_slices
from pipeline.training.replay import Recorder, can_record


class Watch:
    """Scores of slices (patient, slice, y, x) by a network that learns; on a GPU recorded and replayed."""

    def __init__(self, model: nn.Module, slices: torch.Tensor, backend: Backend):
        self._model, self._slices, self._backend = model, slices, backend
        self._flat = slices.reshape(-1, 1, *slices.shape[2:])
        self._scores = torch.zeros(len(self._flat), device=slices.device)
        self._recording = can_record(backend, slices)
        self._recorder = Recorder(self._recording)

    def scores(self) -> torch.Tensor:
        """Probabilities of severe, float32 (patient, slice), as `score_slices` gives them; those of the next call overwrite them."""
        if self._recording:
            try:
                return self._replayed()
            except torch.OutOfMemoryError:
                self._recording = False
        return score_slices(self._model, self._slices, self._backend)

    def _replayed(self) -> torch.Tensor:
        self._model.eval()
        for part in torch.arange(len(self._flat), device=self._flat.device).split(gpu_batch(*self._flat.shape[2:])):
            self._recorder.run(part, self._score)
        return self._scores.view(self._slices.shape[:2])

    @torch.inference_mode()
    def _score(self, part: torch.Tensor) -> None:
        with self._backend.autocast():
            logits = self._model(as_input(self._flat[part], self._backend))
        self._scores[part] = logits.float().sigmoid().flatten()
