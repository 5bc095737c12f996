"""Follows events to their runs.

expected_runs  computes the runs that events should start
run_lookup     looks for a run in its Airflow
following      looks again until each run has started or ended
timeline       the steps of an event, one a line
"""
