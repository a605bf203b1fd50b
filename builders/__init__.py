"""Preference datasets: what every method walks through (`chain`), and a folder for each method."""
