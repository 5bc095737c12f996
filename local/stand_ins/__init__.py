"""Imitations of Azure services on loopback, with the real protocols.

loopback_server    the HTTP server of all of them
certificates       TLS on loopback
identity_endpoint  the managed-identity endpoint and Entra
key_vault          Key Vault
event_grid_topic/  an Event Grid custom topic
airflow_stub       Airflow's API, for tests that need faults
lease_stub         the blob service, only for leases
"""
