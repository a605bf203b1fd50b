"""CodeDPO: pairs from codes and tests that rank each other. Begin to read in `method`."""
