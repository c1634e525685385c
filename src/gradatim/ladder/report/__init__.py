"""The report of a climb: one HTML file that opens offline, and the front as a picture."""
