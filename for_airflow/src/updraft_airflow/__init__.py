"""The package that Airflow installs for Updraft: the Entra auth manager and the notifier of run reports."""

__version__ = "0.1.0"
