"""Parameters as a table: declared with descriptors, checked on every change, read as typed settings."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from rcl_interfaces.msg import (
    FloatingPointRange,
    IntegerRange,
    ParameterDescriptor,
    SetParametersResult,
)
from rclpy.node import Node
from rclpy.parameter import Parameter as RosParameter

Value = bool | int | float | str


@dataclass(frozen=True)
class Parameter:
    """One parameter of a node.

    Attributes:
        name: its ROS name; dots make groups.
        default: its default; its type is the parameter's type (a float also takes whole numbers).
        description: one line for `ros2 param describe` and the docs.
        live: whether it may change while the node runs; the others are read-only.
        minimum, maximum: inclusive range of numbers.
        choices: the values that text may have; empty means any.
        digits: whether text may be a whole number, which ROS reads as one where it is not quoted.
    """

    name: str
    default: Value
    description: str
    live: bool = False
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] = ()
    digits: bool = False

    def problem(self, value: Any) -> str | None:
        """Return why `value` is refused, or None if it is fine."""
        kind = type(self.default)
        accepted: tuple[type, ...] = (int, float) if kind is float else (int, str) if self.digits else (kind,)
        if not isinstance(value, accepted) or (isinstance(value, bool) and kind is not bool):
            return f"{self.name}: expected {kind.__name__}, got {value!r}"
        if self.choices and value not in self.choices:
            return f"{self.name}: expected one of {', '.join(self.choices)}, got {value!r}"
        if isinstance(value, (int, float)) and self.minimum is not None and self.maximum is not None:
            inside = math.isfinite(value) and self.minimum <= value <= self.maximum
            if not inside:
                return f"{self.name}: expected {self.minimum:g} to {self.maximum:g}, got {value:g}"
        return None

    def descriptor(self) -> ParameterDescriptor:
        """Return what `ros2 param describe` shows."""
        descriptor = ParameterDescriptor(
            name=self.name, description=self.description, read_only=not self.live
        )
        descriptor.dynamic_typing = self.digits
        descriptor.additional_constraints = f"one of: {', '.join(self.choices)}" if self.choices else ""
        if self.minimum is not None and self.maximum is not None:
            if isinstance(self.default, float):
                # Without it, `-p display.threshold:=1` would be refused for being a whole number.
                descriptor.dynamic_typing = True
                descriptor.floating_point_range = [
                    FloatingPointRange(from_value=float(self.minimum), to_value=float(self.maximum))
                ]
            else:
                descriptor.integer_range = [
                    IntegerRange(from_value=int(self.minimum), to_value=int(self.maximum), step=1)
                ]
        return descriptor


class Parameters:
    """The declared parameters of one node: checked on change, read by name.

    Args:
        node: the node to declare them on.
        table: what to declare.
        check: called with all values after a change; raises ValueError with the reason to refuse it.
        on_set: called with the names that were set, to new values or the old ones, and all values.

    Raises:
        ValueError: a value given at start-up is refused; the message names the parameter.
    """

    def __init__(
        self,
        node: Node,
        table: Sequence[Parameter],
        check: Callable[[dict[str, Any]], None] = lambda values: None,
        on_set: Callable[[set[str], dict[str, Any]], None] = lambda names, values: None,
    ) -> None:
        self._table = {parameter.name: parameter for parameter in table}
        self._check = check
        self._on_set = on_set
        self.values: dict[str, Any] = {}
        for parameter in table:
            try:
                value: Any = node.declare_parameter(
                    parameter.name, parameter.default, parameter.descriptor()
                ).value
            except Exception as error:  # rclpy has an exception of its own per kind of mistake
                raise ValueError(f"parameter {parameter.name}: {error}") from error
            reason = parameter.problem(value)
            if reason:
                raise ValueError(reason)
            self.values[parameter.name] = self._typed(parameter, value)
        check(self.values)
        node.add_on_set_parameters_callback(self._set)

    def __getitem__(self, name: str) -> Any:
        return self.values[name]

    @staticmethod
    def _typed(parameter: Parameter, value: Any) -> Any:
        return type(parameter.default)(value)

    def _set(self, changes: list[RosParameter]) -> SetParametersResult:
        accepted: dict[str, Any] = {}
        for change in changes:
            parameter = self._table.get(change.name)
            if parameter is None:
                continue  # use_sim_time, qos_overrides: not ours
            reason = parameter.problem(change.value)
            if reason:
                return SetParametersResult(successful=False, reason=reason)
            accepted[change.name] = self._typed(parameter, change.value)
        values = {**self.values, **accepted}
        try:
            self._check(values)
        except ValueError as error:
            return SetParametersResult(successful=False, reason=str(error))
        self.values = values
        if accepted:
            self._on_set(set(accepted), values)
        return SetParametersResult(successful=True)
