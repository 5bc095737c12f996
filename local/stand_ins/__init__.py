"""The folder `stand_ins`."""
