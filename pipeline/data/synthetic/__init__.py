"""Chest CT made by formula, in 3-D: anatomy, vessels, lesions and a severity label. No patient behind it."""
