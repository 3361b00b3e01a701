"""Puts a network where it computes, with the fast paths that suit the device."""

import sys
from functools import lru_cache
from importlib.util import find_spec

from torch import nn

from pipeline.device import Backend, products_lag
from pipeline.layout import RESNET_MODELS
from pipeline.models.convolution import use_quick_convolutions
from pipeline.models.dnn import use_long_rows
from pipeline.models.linear import use_onednn
from pipeline.models.resnet import use_same_slice
from pipeline.models.scored_resnet import use_folded_scoring
from pipeline.models.unshuffled import use_unshuffled


def suited(backend: Backend, model: str) -> Backend:
    """The backend for a model of this name: bfloat16 for the ResNets alone, whose time is arithmetic.

    The small networks take as long in fp32, and their batch normalisations, over as few values as the batch has images,
    would make the rounding of bfloat16 large.
    """
    return backend if model in RESNET_MODELS else backend.in_fp32()


def place(model: nn.Module, backend: Backend) -> nn.Module:
    """Move `model` to the backend's device and memory format, and exchange layers for faster ones that give the same.

    Weights keep their names and shapes. The plain backend (`fast=false`) exchanges nothing.
    """
    model.to(backend.device, memory_format=backend.memory_format)
    if backend.channels_last:
        use_same_slice(model)
        if backend.device == "cpu":
            if backend.bf16 or not products_lag():
                use_quick_convolutions(model, backend.bf16)
            else:
                use_onednn(model)
            if backend.bf16:
                use_folded_scoring(model)
        if backend.device == "cuda":
            use_long_rows(model)
            use_unshuffled(model)
            if backend.bf16 and _fuses():
                from pipeline.models.fused_resnet import use_fused_layers

                use_fused_layers(model)
    return model


@lru_cache(maxsize=1)
def _fuses() -> bool:
    """Whether layers can be joined here: where torch brings Triton along, it finds a C compiler, and cuDNN knows its part."""
    if not find_spec("triton"):
        return False
    from pipeline.models.fused_resnet import try_fused_layers

    try:
        try_fused_layers("cuda")
    except Exception as error:  # whatever it is, torch's own layers do the same
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        print(f"notice: ResNets train with torch's own layers, which take longer; others cannot be compiled here ({reason})",
              file=sys.stderr)
        return False
    return True
