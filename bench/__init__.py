"""Measurements, each compared with a floor or another app."""
