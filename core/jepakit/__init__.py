"""jepakit: one platform for joint-embedding predictive architectures on any kind of data."""

__version__ = "0.1.0"
