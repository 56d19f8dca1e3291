"""The attacks go against one API on the shared stack, with a tenant for each file of tests."""

from tests.api.conftest import academy

__all__ = ["academy"]
