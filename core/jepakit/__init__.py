"""jepakit: one platform for joint-embedding predictive architectures on any kind of data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jepakit.embed.encoder import load

__version__ = "0.1.0"
__all__ = ["__version__", "load"]


def __getattr__(name: str) -> Any:
    """`jepakit.load` imports torch when it is touched, not before."""
    if name != "load":
        raise AttributeError(f"module 'jepakit' has no attribute '{name}'")
    from jepakit.embed.encoder import load

    return load
