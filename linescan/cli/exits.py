"""Exit codes of all commands."""

from typing import Final

OK: Final = 0
UNBALANCED: Final = 1
"""The ledger does not balance, or a check of the stream failed."""
BAD_INPUT: Final = 2
"""A file, a configuration, a model, an endpoint or an argument is wrong; the text says which."""
INTERRUPTED: Final = 130
"""Ended by Ctrl-C, after everything under way was accounted for."""
