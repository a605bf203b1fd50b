"""`codepref run`: an experiment from one file."""
