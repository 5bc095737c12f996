"""The folder `permits`."""
