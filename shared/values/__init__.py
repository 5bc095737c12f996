"""The folder `values`."""
