"""Every crash point: each request of a scenario is lost, or its answer is, or the process is killed there.

    wire       the requests of one case, numbered by kind, and what happens to one of them
    servers    the servers of one case: Storage, Airflow, Key Vault and the token endpoint, on the wire
    instance   one instance of the app, as a process that can be killed
    scenarios  what is delivered, and which runs there have to be
    case       one scenario with faults at chosen requests: delivered until acknowledged, then audited
    report     all cases of a scenario, and the table that is printed

`make crashpoints` tries every single fault; pairs of faults and two instances are sampled.
"""
