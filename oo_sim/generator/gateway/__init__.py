"""The gateway to the models, live or out of a recording: where it is, what goes over the wire, how often it is asked.

`opening` opens one by name; `client` speaks to it; `asking` puts questions to it once and keeps the answers.
"""
