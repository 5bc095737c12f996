"""Delivery: the only code with side effects. Each of its paths ends in one outcome.

intake            a delivered body to its outcomes: each function calls it
arrivals          new events: decides, and delivers to each rule that matches
parked_work       parked messages: tries them again, or dead-letters them
bursts            windows: collects events, and starts the run at the close
queue_intake      queue messages: the last delivery, and poison messages
rights            whether a caller still has the permission
relay             delivers one work item to one Airflow; parks or rejects a run that did not start
run_delivery      one delivery of the relay, and its outcome
unverified_hooks  webhook deliveries whose signature cannot be verified yet
preconditions     the checks before a run: `latest_by`, `when_paused`
attempts          the requests of one delivery, until the answer is definite
closing           begins and ends deliveries: counts, dead letter, log line
outcomes          the outcomes and their counts
outcome_log       the log line of an outcome
repeats           one log line for many parked deliveries with the same cause
hops              the time that a delivery took, by part
policy            waits, time budgets and limits
target            one Airflow with its breaker, limiter and paused DAGs
paused_dags       which DAGs are paused or draining
"""
