"""Ships registry.yaml inside the wheel; an editable install reads it from the checkout."""

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class ShipRegistry(BuildHookInterface):
    def initialize(self, version, build_data):
        if version == "standard":
            build_data["force_include"]["registry.yaml"] = "jepakit/registry.yaml"
