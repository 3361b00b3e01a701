"""The speed comparisons behind `python -m pipeline bench`. No stage uses anything of them."""
