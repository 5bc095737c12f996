"""One module for each command, by its name.

explain       which rules match an event, and why
validate      every mistake of rules.yaml, and what the rules do with samples
schema        the JSON Schema of rules.yaml
subscription  the Event Grid subscription that the rules need
publish       sends events to an Event Grid topic
replay        counts, shows and sends dead letters again
doctor        which identity each connection uses, and which role is missing
"""
