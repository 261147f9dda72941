"""Ways to reach a person, each one file behind the interface of `base`."""
