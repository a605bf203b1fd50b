"""codepref: preference datasets for code models, built by running code.

The spine. Nothing in this package knows a method, a recipe or a benchmark: `builders/`, `recipes/` and `evaluation/`
import it, never the other way round.
"""

__version__ = "0.2.0"
