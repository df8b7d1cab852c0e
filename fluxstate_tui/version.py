"""The version of this package; who imports it alone does not import the API."""

__version__ = "0.1.0"
