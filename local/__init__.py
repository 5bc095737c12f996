"""Azure on a laptop: what `make demo`, `make up` and the tests put around the app.

demo, up         what people start
stack            the whole stack, its parts in order
rules_watch      loads the rules file again when it has changed
dags_watch       reports DAG files that Airflow cannot import
control, part    one part of a running stack stops and starts
stage, timeline  what the demo shows
paths            folders of the checkout
servers/         real programs that are started: Airflow, Postgres, Azurite, the function app
stand_ins/       imitations on loopback of what only Azure has
functions_host/  a Functions host around Microsoft's own Python runtime
processes/       starting, watching and ending programs
"""
