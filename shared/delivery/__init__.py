"""Delivery: the only code with side effects. Each of its paths ends in one outcome.

intake            a delivered body to its outcomes: the one call that every function makes
arrivals          what has just arrived: decide, and deliver to every rule that wants it
parked_work       what comes back from the queue: try again, or bury
bursts            the life of a window: collect, close
queue_intake      messages of the queues: the last delivery, and poison messages
rights            whether a caller may still ask for what comes back
relay             delivers one event to the Airflow of one rule; parks or rejects what did not start
unverified_hooks  deliveries of hooks whose signature cannot be verified yet
preconditions     what must hold before a run: `latest_by`, `when_paused`
attempts          the requests of one delivery, until the answer is definite
closing           how a delivery begins and ends: count, dead letter, log
outcomes          the words that a delivery ends in
outcome_log       the one log line of an outcome
repeats           one line for all that waits again for the same cause
hops              where the time of a delivery went, by name
policy            how long things are tried
target            one Airflow with its breaker, limiter and paused DAGs
paused_dags       which DAGs are paused or draining
"""
