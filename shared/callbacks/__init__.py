"""The folder `callbacks`."""
