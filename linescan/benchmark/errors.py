"""What goes wrong in a benchmark and a user can act on."""

from linescan.errors import LinescanError


class BenchmarkError(LinescanError):
    """A benchmark cannot be run, read or written as asked."""
