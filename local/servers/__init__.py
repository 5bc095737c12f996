"""The folder `servers`."""
