"""The product: turns events into DAG runs. It uses no type of Azure Functions.

    values/, event/, runs/    the data: values, events, run requests
    rules/, deciding/         which rules match, and the run that each would start; pure, no I/O
    azure/, airflow/, admission/, stores/  what the app talks to
    delivery/                 the only code that acts on an event
    callers/, callbacks/, http_api/  callers, run reports, HTTP endpoints
    app.py                    wires everything, lazily, once per process
    errors, codes, version, log, log_throttle, visible_text, backoff, throttle, collector, settings, web
                              what every folder may use

`tests/test_layers.py` holds the order: imports go down only.
"""
