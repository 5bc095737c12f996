"""The fault suite: a part breaks during a stream of events; then Airflow's runs are compared with them.

`make faults` runs the long form and writes `bench/out/faults.json` and the table in docs/faults.md; pytest
runs the short form of each (`tests/faults/test_faults.py`). The suite uses the product's wiring
(`shared/app.py`), its clients, and a real Azurite. Only the waits in the queue and of the circuit breaker are
shorter (`QUICK`): a minute on Azure is a second here.
"""
