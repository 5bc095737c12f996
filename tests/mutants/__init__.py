"""Mutation testing: change the source at one random point, and run the nearest tests.

    mutations  every mutant of a module, found in its syntax tree
    targets    which modules are mutated, and their nearest tests
    worker     runs tests in a copy of the tree, each time in a fresh fork
    accepted   accepted.txt: mutants that no test has to catch, each with the reason

`make mutants` draws some mutants of all targets, and reports those that survive.

The library mutmut has open problems with `--import-mode=importlib`. cosmic-ray starts a new Python for each
mutant, which takes longer here than the tests. This package is short enough to maintain.
"""
