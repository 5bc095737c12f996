"""The DAG that the tests of API v1 start; its task does nothing, and no scheduler runs it."""

from datetime import UTC, datetime

from airflow.models.dag import DAG
from airflow.operators.empty import EmptyOperator

with DAG("smoke_tests", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC)):
    EmptyOperator(task_id="nothing")
