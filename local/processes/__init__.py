"""The folder `processes`."""
