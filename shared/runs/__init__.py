"""The folder `runs`."""
