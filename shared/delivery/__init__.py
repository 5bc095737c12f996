"""The folder `delivery`."""
