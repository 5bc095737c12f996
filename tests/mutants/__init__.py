"""Mutation testing: change one thing of the source at random, and see whether the nearest tests notice.

    mutations  every mutant of a module, found in its syntax tree
    targets    which modules are mutated, and their nearest tests
    worker     runs tests in a copy of the tree, each time in a fresh fork
    accepted   accepted.txt: mutants that no test has to notice, each with the reason

`make mutants` draws some mutants of all targets, and reports those that survive.

Of the libraries, mutmut has open problems with `--import-mode=importlib`, and cosmic-ray starts Python anew
for each mutant, which takes longer here than the tests. What is needed is short enough to own.
"""
