"""Azure on a laptop: what `make demo`, `make up` and the tests start beside the app.

demo, up         the commands
stack            starts all parts in order
rules_watch      loads the rules file again when it has changed
dags_watch       reports DAG files that Airflow cannot import
control, part    one part of a running stack stops and starts
stage, timeline  what the demo shows
paths            folders of the checkout
servers/         start real programs: Airflow, Postgres, Azurite, the function app
stand_ins/       imitations, on loopback, of services that only Azure has
functions_host/  a Functions host around Microsoft's own Python runtime
processes/       start, watch and end programs
"""
