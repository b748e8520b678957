"""The version of LocVLM, which the package's metadata is made with."""

__version__ = "0.1.0"
