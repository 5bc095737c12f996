"""Sends events to a topic, and the bodies of webhooks to the app.

outgoing      reads and checks the events of a file before they are sent
json_members  changes members of a JSON object in its text
topic         sends events to an Event Grid topic
posting       makes one POST request
publish_wait  follows what was published to its runs
"""
