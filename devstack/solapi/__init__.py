"""A stand-in for Solapi v4 that can be made to fail: `python -m devstack.solapi --port N`."""
