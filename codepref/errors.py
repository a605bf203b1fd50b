"""The one exception the command line turns into a single clear line and exit code 2."""


class CodeprefError(Exception):
    """Something the user can mend. The message names the place (file, line, key) and the remedy."""
