"""Errors that a user can act on: the command line prints their text and no traceback."""


def install_hint(extra: str) -> str:
    """How to get what an extra brings; linescan is installed from its folder, not from an index."""
    return f"install it with: pip install '.[{extra}]' in linescan's folder"


class LinescanError(Exception):
    """Something is wrong with what the user gave; the text says what, where and what to do."""


class ConfigError(LinescanError):
    """A configuration file or an override is wrong."""


class SourceError(LinescanError):
    """Lines cannot be had: a recording, an image or a camera is missing or broken."""


class ModelError(LinescanError):
    """A depth model cannot be found, loaded, exported or run."""


class PublishError(LinescanError):
    """Results cannot be sent: an endpoint is taken or wrong, or no subscriber came."""


class ProtocolError(LinescanError):
    """A message does not follow ``linescan/1``."""


class JournalError(LinescanError):
    """The journal cannot be written or read: the disk is full, or another pipeline writes it."""


class SinkError(LinescanError):
    """A broker cannot be fed: it refuses us, or is not set up as the configuration says."""


class SubscribeError(LinescanError):
    """Results cannot be had: the endpoint or the kinds are wrong, or nothing came."""


class KeyFileError(LinescanError):
    """A CURVE key file is missing, damaged or the wrong one; secrets never stand in the text."""


class CalibrationError(LinescanError):
    """A reference cannot be made, read, or does not fit the lines."""
