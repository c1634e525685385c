"""What graphs call their inputs and outputs."""

# Inputs that are carried from token to token, and the outputs that they become.
STATE, AFTER = ("state", "_after")
AGGREGATION = "aggregation"  # what is to be done with the cells of a table
ASKED = "asked"  # places of which something is wanted
COUNT = "count"  # candidates wanted
READ = "read"  # tokens of each source
VOCABULARY = "gradatim.vocabulary"  # metadata: how many tokens there are to choose from
