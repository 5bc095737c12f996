"""Measurements, each against a floor or a peer."""
