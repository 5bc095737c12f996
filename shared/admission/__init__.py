"""The folder `admission`."""
