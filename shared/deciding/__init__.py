"""The folder `deciding`."""
