"""From scans or a formula to the memory-mapped dataset: sources, preparation, split, leakage checks."""
