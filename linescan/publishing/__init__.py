"""Results leave: the publisher's socket and the pipeline's last stage."""

from linescan.publishing.curve import Gate
from linescan.publishing.deliver import Deliver
from linescan.publishing.outgoing import Outgoing
from linescan.publishing.publisher import Publisher
from linescan.publishing.stage import Numbers, Publish
from linescan.publishing.store import Journal, JournalHealth, Kept, KeptEpoch, Stream

__all__ = [
    "Deliver",
    "Gate",
    "Journal",
    "JournalHealth",
    "Kept",
    "KeptEpoch",
    "Numbers",
    "Outgoing",
    "Publish",
    "Publisher",
    "Stream",
]
