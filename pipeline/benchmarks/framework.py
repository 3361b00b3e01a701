"""The same training in PyTorch Lightning with its defaults, as a second thing to compare with."""

import torch
from torch import nn

from pipeline.benchmarks.plain import plain_loaders
from pipeline.training.loop import Hyperparameters, TrainingData


def is_installed() -> bool:
    """Whether Lightning can be imported (`pip install lightning`)."""
    try:
        import lightning  # noqa: F401
    except ImportError:
        return False
    return True


def fit_with_lightning(model: nn.Module, data: TrainingData, chosen: Hyperparameters, epochs: int, batch_size: int, device: str) -> None:
    """Train `model` and score the watched slices after every epoch, with Lightning's defaults (fp32, its own loop)."""
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

    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    training, watching = plain_loaders(data, batch_size)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it would have more loader workers than this machine has cores
        trainer = lightning.Trainer(max_epochs=epochs, accelerator="gpu" if device == "cuda" else "cpu", devices=1, logger=False,
                                    enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False)
        trainer.fit(Study(), training, watching)
