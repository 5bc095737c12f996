"""Attacks by kind, on the wire where it is one."""
