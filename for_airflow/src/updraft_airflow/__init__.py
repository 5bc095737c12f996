"""What an Airflow installs to work with Updraft: the Entra auth manager and the notifier of run reports."""

__version__ = "0.1.0"
