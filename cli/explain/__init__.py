"""The decision of each rule about each event.

explained  makes the decisions
selection  selects the rules that are shown
view       shows the decisions to a person
"""
