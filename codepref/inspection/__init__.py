"""What can be seen of a run afterwards: its stages, one prompt's life, where a dataset or model comes from."""
