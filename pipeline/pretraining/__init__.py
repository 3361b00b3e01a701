"""Procedural pretraining: ResNet18 learns to tell formula-made images apart, so that no download is needed."""
