"""Parts of pages that show runs: what lies in a folder, charts, programs side by side."""
