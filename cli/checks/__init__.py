"""What keeps runs from starting; nothing is started or changed in Airflow.

diagnosis     asks the Airflow of one connection
unreachable   names the cause where no Airflow answers
dag_state     reads the state of one DAG
token_claims  decodes the claims of one credential
live_checks   the checks of `validate --live`: the diagnosis, and the conf of samples
dag_params    checks a conf against the params of a DAG
"""
