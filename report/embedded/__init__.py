"""The renderer for machines without Quarto: the same pages, ids, numbers and text, made with Pandoc and Typst."""
