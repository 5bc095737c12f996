"""Every crash point: a request of a scenario is lost, or its answer is, or the process is killed then.

    wire       the requests of one case, numbered by kind, and the faults of some
    servers    the servers of one case: Storage, Airflow, Key Vault and the token endpoint, on the wire
    instance   one instance of the app, as a process that can be killed
    scenarios  the deliveries and the expected runs
    case       one scenario with faults at chosen requests: delivered until acknowledged, then audited
    report     all cases of a scenario, and the printed table

`make crashpoints` tries every single fault; pairs of faults and two instances are sampled.
"""
