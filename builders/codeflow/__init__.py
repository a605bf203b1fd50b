"""CodeFlow: pairs of a failing and a repaired program, with the place of the error. Begin to read in `method`."""
