"""Deciding: an event and the rules in, decisions out. Pure, no I/O.

decide       the fixed order, and the decision
matching     whether a rule matches, and which condition failed
nearest      the nearest rule to an event that no rule wanted
rendering    from a matching rule to the run
direct_runs  a run that a caller asks for by DAG name, without a rule
"""
