"""From a finished folder to the Hub: cards, dataset and model folders, releases, scores."""
