"""Attacks by kind, on the wire where the attack is on one.

The folder mirrors no source. Each module is one family of attacks on one promise of SECURITY.md.
`make test` runs the short form of every attack, `make attacks` the long form (tests/support/attacks.py).
"""
