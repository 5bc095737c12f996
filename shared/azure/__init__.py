"""The folder `azure`."""
