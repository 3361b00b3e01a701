"""Patient-level scores, ROC curves, thresholds and metrics."""
