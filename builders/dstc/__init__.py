"""DSTC: pairs from nothing but the model's own codes and tests. Begin to read in `method`."""
