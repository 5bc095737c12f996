"""How a DAG run reports back.

attach        adds address and token to the conf just before sending
tokens        the run's token, which can only report that run
report_store  the reports of runs; the first one counts
"""
