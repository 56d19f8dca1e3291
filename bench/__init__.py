"""Reproducible measurements: `make bench`, or one of them by `make bench NAME=encode`."""
