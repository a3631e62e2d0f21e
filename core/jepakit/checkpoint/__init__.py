"""Durable checkpoints: safetensors and JSON, verified by digest, safe against kill -9, a full disk and a power cut."""

from jepakit.checkpoint.format import CHOSEN, FOLDER, Manifest, State
from jepakit.checkpoint.pack import export_weights, pack_module, pack_optimizer, section, unpack_module, unpack_optimizer
from jepakit.checkpoint.read import best, latest, latest_scalars, load, load_latest, load_named, load_step, read_manifest, steps, verify
from jepakit.checkpoint.write import save

__all__ = [
    "CHOSEN",
    "FOLDER",
    "Manifest",
    "State",
    "best",
    "export_weights",
    "latest",
    "latest_scalars",
    "load",
    "load_latest",
    "load_named",
    "load_step",
    "pack_module",
    "pack_optimizer",
    "read_manifest",
    "save",
    "section",
    "steps",
    "unpack_module",
    "unpack_optimizer",
    "verify",
]
