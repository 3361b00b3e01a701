"""What Quarto runs by itself, beside the cells of the pages."""
