from collections.abc import Sequence
from enum import Enum
from typing import Any

from .ui import PreviewVideo

class FolderType(str, Enum):
    output = "output"

class ControlAfterGenerate(str, Enum):
    fixed = "fixed"

class Input:
    id: str

class Output:
    id: str

class _Socket(Input):
    def __init__(self, id: str, *, optional: bool = ..., tooltip: str = ...) -> None: ...

class _Output(Output):
    def __init__(
        self,
        id: str,
        *,
        display_name: str = ...,
        tooltip: str = ...,
        is_output_list: bool = ...,
    ) -> None: ...

class Image:
    Input = _Socket
    Output = _Output

class Video:
    Input = _Socket
    Output = _Output

class Audio:
    Input = _Socket
    Output = _Output

class Float:
    Output = _Output

class String:
    Output = _Output
    class Input(_Socket):
        def __init__(
            self,
            id: str,
            *,
            optional: bool = ...,
            tooltip: str = ...,
            multiline: bool = ...,
            placeholder: str = ...,
            default: str = ...,
            advanced: bool = ...,
        ) -> None: ...

class Int:
    class Input(_Socket):
        def __init__(
            self,
            id: str,
            *,
            optional: bool = ...,
            tooltip: str = ...,
            default: int = ...,
            min: int = ...,
            max: int = ...,
            control_after_generate: ControlAfterGenerate = ...,
            advanced: bool = ...,
        ) -> None: ...

class Boolean:
    class Input(_Socket):
        def __init__(
            self,
            id: str,
            *,
            optional: bool = ...,
            tooltip: str = ...,
            default: bool = ...,
            advanced: bool = ...,
        ) -> None: ...

class Combo:
    class Input(_Socket):
        def __init__(
            self,
            id: str,
            *,
            options: list[str],
            optional: bool = ...,
            tooltip: str = ...,
            default: str = ...,
            advanced: bool = ...,
        ) -> None: ...

class Autogrow:
    class TemplateNames:
        def __init__(self, input: Input, names: list[str], min: int = ...) -> None: ...

    class Input(_Socket):
        def __init__(
            self,
            id: str,
            *,
            template: Autogrow.TemplateNames,
            optional: bool = ...,
            tooltip: str = ...,
        ) -> None: ...

class Schema:
    node_id: str
    def __init__(
        self,
        *,
        node_id: str,
        display_name: str,
        category: str,
        description: str,
        inputs: Sequence[Input],
        outputs: Sequence[Output],
        search_aliases: Sequence[str] = (),
        has_intermediate_output: bool = False,
    ) -> None: ...

class ComfyNode:
    @classmethod
    def GET_SCHEMA(cls) -> Schema: ...

class NodeOutput:
    def __init__(self, *args: Any, ui: PreviewVideo | dict[str, Any] | None = None) -> None: ...
