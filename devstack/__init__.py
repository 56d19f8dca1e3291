"""The embedded stack: real servers out of Python wheels, without Docker and without root."""
