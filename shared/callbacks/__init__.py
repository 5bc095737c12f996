"""How a DAG run reports back.

attach        puts address and token into the conf while it is sent
tokens        the run's own token, which can only report that run
report_store  how runs ended; the first report is kept
"""
