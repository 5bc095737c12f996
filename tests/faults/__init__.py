"""The fault suite: one thing breaks under a stream of events, and Airflow's own list of runs is audited.

`make faults` runs the long form and writes `bench/out/faults.json` and the table in docs/faults.md; pytest
runs the short form of each (`tests/faults/test_faults.py`). Everything is the product's own: its wiring
(`shared/app.py`), its clients, a real Azurite. Only the waits in the queue and the breaker's rest are shorter
(`QUICK`), so that a minute of Azure passes in a second.
"""
