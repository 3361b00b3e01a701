"""A look inside the convolutional models: filters, activations, saliency. Captum does the attributions."""
