"""Results leave: the publisher's socket and the pipeline's last stage."""

from linescan.publishing.deliver import Deliver
from linescan.publishing.publisher import Outgoing, Publisher
from linescan.publishing.stage import Numbers, Publish

__all__ = ["Deliver", "Numbers", "Outgoing", "Publish", "Publisher"]
