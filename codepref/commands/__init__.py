"""One module a command: `add_arguments`, and `run`, which returns the exit code. Imported when it is asked for."""
