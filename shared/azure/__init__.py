"""Access to Azure with this app's managed identity.

credential       the process's one Azure credential
refreshing       a fetched value: one fetch at a time, renewed before it expires
key_vault        secrets by name
storage_account  clients for the app's queues and blobs
"""
