"""One blueprint a file: each turns its binding's input into shared types and makes one call."""
