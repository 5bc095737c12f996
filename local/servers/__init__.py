"""Real programs that the stack starts.

airflow_process    Airflow 3
airflow2_process   Airflow 2
airflow_auth       the auth managers of the stack's Airflows
postgres_process   Postgres
other_user         another user for a program that refuses to run as root
azurite            Microsoft's Storage emulator
functions_process  the function app in a host
function_groups    which functions share a process on Flex Consumption
"""
