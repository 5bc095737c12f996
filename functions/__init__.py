"""One blueprint in each file: it converts its binding's input and makes one call."""
