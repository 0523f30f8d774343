"""What the yardstick found, as JSON, as a table on the terminal, and as a page with pictures."""

from linescan.evaluation.report.document import to_document
from linescan.evaluation.report.page import to_page
from linescan.evaluation.report.table import to_tables

__all__ = ["to_document", "to_page", "to_tables"]
