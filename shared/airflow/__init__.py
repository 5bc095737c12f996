"""The folder `airflow`."""
