"""The report of a climb: one HTML file that opens offline, and the front as a picture."""

from gradatim.ladder.report.page import write_front_png, write_report

__all__ = ["write_front_png", "write_report"]
