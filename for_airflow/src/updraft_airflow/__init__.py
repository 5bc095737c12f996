"""What an Airflow installs to work with Updraft: the Entra auth manager and the outcome notifier."""

__version__ = "0.1.0"
