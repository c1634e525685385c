"""Why a model said what it said, and how far that can be believed."""
