"""Inputs, outputs and schemas that keep what they were given."""

from enum import Enum
from types import SimpleNamespace


class FolderType(str, Enum):
    output = "output"


class ControlAfterGenerate(str, Enum):
    fixed = "fixed"


class Input:
    io_type = ""

    def __init__(self, id, **options):
        self.id = id
        self.options = options


class Output:
    io_type = ""

    def __init__(self, id, display_name=None, is_output_list=False, tooltip=None):
        self.id = id
        self.display_name = display_name
        self.is_output_list = is_output_list
        self.tooltip = tooltip


def _type(name):
    return SimpleNamespace(
        Input=type("Input", (Input,), {"io_type": name}),
        Output=type("Output", (Output,), {"io_type": name}),
    )


Image = _type("IMAGE")
Video = _type("VIDEO")
Audio = _type("AUDIO")
String = _type("STRING")
Int = _type("INT")
Float = _type("FLOAT")
Boolean = _type("BOOLEAN")
Combo = _type("COMBO")


class Autogrow:
    Input = type("Input", (Input,), {"io_type": "COMFY_AUTOGROW_V3"})

    class TemplateNames:
        def __init__(self, input, names, min=1):
            self.input, self.names, self.min = input, names, min


class Schema:
    def __init__(
        self,
        *,
        node_id,
        display_name,
        category,
        description,
        inputs,
        outputs,
        search_aliases=(),
        has_intermediate_output=False,
    ):
        self.node_id, self.display_name, self.category = node_id, display_name, category
        self.description, self.inputs, self.outputs = description, inputs, outputs
        self.search_aliases = search_aliases
        self.has_intermediate_output = has_intermediate_output


class ComfyNode:
    @classmethod
    def GET_SCHEMA(cls):
        return cls.define_schema()


class NodeOutput:
    def __init__(self, *args, ui=None):
        self.args = args
        self.ui = ui
