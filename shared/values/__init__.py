"""Values of any origin: JSON, times, addresses, text.

json_text      JSON types, read strictly and written exactly
times          RFC 3339 times
text_files     text of a file that a person wrote
markdown_text  foreign values in a run's note
storable       what Airflow's database accepts: text, depth, size
reserved_keys  keys that Airflow 3.4 refuses in a conf
base64_text    Base64 in either alphabet
hashes         names made from content
guids          names of tenants, applications and identities
dag_ids        which DAG ids Airflow accepts
app_settings   the value of an application setting
hook_settings  which deployment hooks are switched on, and their rate limit
invisible      invisible characters
path_prefixes  comparing the beginnings of paths
urls           which addresses rules.yaml may name
wording        "did you mean", durations, and long values cut short for messages
"""
