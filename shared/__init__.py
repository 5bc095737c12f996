"""The product: from an event to a DAG run. No Azure Functions types in here."""
