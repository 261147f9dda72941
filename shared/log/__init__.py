"""The log.

Facts leave a service through its outbox and reach the others in order, at least once.
"""
