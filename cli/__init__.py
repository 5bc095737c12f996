"""The operator's command, `updraft`."""
