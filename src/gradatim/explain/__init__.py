"""Where a model that writes looked in its source; that need not be why it wrote what it wrote."""
