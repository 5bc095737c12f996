"""Attacks by kind; attacks over HTTP use HTTP.

The folder mirrors no source. Each module is one family of attacks on one promise of SECURITY.md.
`make test` runs the short form of every attack, `make attacks` the long form (tests/support/attacks.py).
"""
