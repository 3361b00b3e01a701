"""Draws and tells: figures, tables and pages made from the artifacts of a study. Computes no result.

Run it with `python -m report`, or let Quarto render the same pages with `quarto render`.
"""
