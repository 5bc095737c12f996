"""The folder `stores`."""
