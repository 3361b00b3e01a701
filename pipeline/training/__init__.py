"""Training of one network, the coordinate search over its hyperparameters, and its final training."""
