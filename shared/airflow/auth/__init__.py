"""The folder `auth`."""
