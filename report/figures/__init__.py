"""One module per kind of figure. A figure function takes a study and words, draws stored numbers, returns a Figure."""
