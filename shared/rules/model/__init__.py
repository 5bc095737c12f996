"""The folder `model`."""
