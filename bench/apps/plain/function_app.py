"""The plain sample: a first version, with a new credential and a new client in each invocation."""

import json
import os

import azure.functions as func

app = func.FunctionApp()


@app.event_grid_trigger(arg_name="event")
def event_grid(event: str) -> None:
    """Start the DAG `smoke_tests` for the event, with the official clients as their pages show them."""
    import airflow_client.client as airflow  # noqa: PLC0415 - the kindest place: indexing stays cheap
    from azure.identity import DefaultAzureCredential  # noqa: PLC0415 - the same

    body = json.loads(event)
    credential = DefaultAzureCredential()
    configuration = airflow.Configuration(host=os.environ["UPDRAFT_AIRFLOW_URL"])
    configuration.access_token = credential.get_token("api://airflow/.default").token
    with airflow.ApiClient(configuration) as client:
        airflow.DagRunApi(client).trigger_dag_run(
            "smoke_tests",
            airflow.TriggerDAGRunPostBody(dag_run_id=f"plain__{body['id']}", conf={"event": body["data"]}),
            _request_timeout=(3.0, 10.0),
        )
