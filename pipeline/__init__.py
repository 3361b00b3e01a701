"""Computes the study: data, pretraining, tuning, training, evaluation and explanations, as artifacts on disk.

Run it with `python -m pipeline all`. This package never draws and never imports `report`;
the artifacts it leaves are the only thing the report reads. Nothing is imported here, so that
the report can use `pipeline.layout`, `pipeline.records` and `pipeline.errors` without loading torch.
"""
