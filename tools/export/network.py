# SPDX-License-Identifier: Apache-2.0
"""What the exporter needs to know of a network."""
from dataclasses import dataclass, field
from typing import Any, Callable, Dict, List, Optional


@dataclass
class Network:
    """A module with example inputs. `dynamic_axes` names the symbolic dimensions of inputs."""
    module: Any
    inputs: List[Any]
    input_names: List[str]
    output_names: Optional[List[str]] = None
    dynamic_axes: Dict[str, Dict[int, str]] = field(default_factory=dict)
    opset: int = 17
    randomize: bool = True
    keep_batch_norm: bool = False
    lean: bool = False  # weights share storage (layers.py): exported as inputs, then external
    rewrite: Optional[Callable[[Any], Any]] = None
    model: Any = None  # written directly (graph.py): nothing to export


@dataclass
class Entry:
    """A row of the zoo; `build` makes the Network when it is its turn."""
    name: str
    task: str
    description: str
    source: str
    dims: Dict[str, int]
    note: str
    build: Callable[[], Network]
