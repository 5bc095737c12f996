"""Deciding: which rules match an event, and which run each of them starts. No I/O.

decide       the decision of each rule
matching     whether a rule matches, and which condition failed
nearest      the nearest rule for an event that no rule matches
rendering    the run of a matching rule
direct_runs  a run that a caller starts by DAG name, without a rule
"""
