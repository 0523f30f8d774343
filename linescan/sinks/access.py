"""What a broker wants to know of us: secrets from the environment or a file, and TLS."""

from __future__ import annotations

import os
import ssl
from pathlib import Path

from linescan.config.sinks import BrokerSection
from linescan.errors import SinkError


def secret(key: str, variable: str | None, file: Path | None) -> str | None:
    """A secret; None where the configuration names none.

    Args:
        key: of the configuration, without its ending, for errors.
        variable: environment variable that holds it.
        file: file that holds it.

    Raises:
        SinkError: the variable is not set, or the file cannot be read or is empty.
    """
    if variable is not None:
        value = os.environ.get(variable)
        if not value:
            raise SinkError(f"{key}_env: the environment variable {variable} is not set")
        return value
    if file is None:
        return None
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
        raise SinkError(f"{key}_file: cannot read {file}: {reason}") from error
    if not lines or not lines[0]:
        raise SinkError(f"{key}_file: the first line of {file} is empty")
    return lines[0]


def tls(section: BrokerSection, where: str) -> ssl.SSLContext:
    """How we speak TLS.

    Raises:
        SinkError: a certificate cannot be used.
    """
    try:
        context = ssl.create_default_context(cafile=section.ca)
        if section.cert is not None:
            context.load_cert_chain(section.cert, section.key)
    except (OSError, ssl.SSLError) as error:
        raise SinkError(f"{where}: ca, cert or key cannot be used: {error}") from error
    return context
