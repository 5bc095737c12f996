"""The folder `commands`."""
