"""The doctor: whether everything around a running service is as it must be.

It looks, and changes nothing: what it finds are sentences for whoever deploys.
"""
