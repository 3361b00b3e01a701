"""The same training in PyTorch Lightning with its defaults, as a second thing to compare with."""

import torch
from torch import nn

from pipeline.benchmarks.plain import plain_loaders
from pipeline.benchmarks.timing import now
from pipeline.training.loop import Hyperparameters, TrainingData


def is_installed() -> bool:
    """Whether Lightning can be imported (`pip install lightning`)."""
    try:
        import lightning  # noqa: F401
    except ImportError:
        return False
    return True


def last_epoch_with_lightning(model: nn.Module, data: TrainingData, chosen: Hyperparameters, epochs: int, batch_size: int,
                              device: str) -> float:
    """Train `model` and score the watched slices after every epoch, with Lightning's defaults (fp32, its own loop).

    Returns the seconds of the last epoch; what Lightning does once, before the first, is no part of it.
    """
    import logging
    import warnings

    import lightning

    class Study(lightning.LightningModule):
        def __init__(self):
            super().__init__()
            self.network, self.loss = model, nn.BCEWithLogitsLoss()

        def training_step(self, batch, index):
            images, labels = batch
            return self.loss(self.network(images), labels)

        def validation_step(self, batch, index):
            self.network(batch[0]).sigmoid()

        def configure_optimizers(self):
            optimizer = torch.optim.Adam(self.parameters(), chosen.lr, weight_decay=chosen.wd)
            return [optimizer], [torch.optim.lr_scheduler.ExponentialLR(optimizer, chosen.mp)]

        def on_train_epoch_start(self):
            self.started = now(device)

    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    training, watching = plain_loaders(data, batch_size)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it would have more loader workers than this machine has cores
        trainer = lightning.Trainer(max_epochs=epochs, accelerator="gpu" if device == "cuda" else "cpu", devices=1, logger=False,
                                    enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False)
        study = Study()
        trainer.fit(study, training, watching)
    return now(device) - study.started
