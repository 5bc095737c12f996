"""The folder `http_api`."""
