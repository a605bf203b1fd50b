"""What ends a command: something the user can mend, in one clear line with exit code 2, or a signal."""


class CodeprefError(Exception):
    """Something the user can mend. The message names the place (file, line, key) and the remedy."""


class Terminated(KeyboardInterrupt):
    """SIGTERM, from `kill` or a batch system: everything ends as after Ctrl-C, which `nohup` keeps away."""
