"""A torch module as plain values: its layers' classes, their attributes and the shapes of their tensors. No pickle, in or out.

A module is made anew from such a form without its constructor: of each layer the class is found, its attributes are set, and
its tensors wait to be loaded. What is known of code is a reference; whoever describes or builds says what it stands for.

    layer       {class, attributes, parameters, buffers, modules, parametrized}
    tensor      {shape, dtype}, or {same: path} for one that an earlier layer has too
    value       what JSON has, or one of {tuple, list, dict, dtype, float, tensor, module, code}; of any other object what makes a
                copy of it (`__reduce_ex__`): {made, of, state, items, pairs}
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import BuiltinFunctionType, FunctionType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from latentlab.base.errors import LabError

Form = dict[str, Any]
Refer = Callable[[Any], Form]  # a class or a function as a reference; raises LabError for one that could not be found again
Find = Callable[[Form], Any]  # the reverse

INNER = frozenset(vars(nn.Module()))  # what every module has
REMADE = frozenset({"_flat_weights", "_flat_weight_refs"})  # a recurrent layer makes them of its parameters
HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")


def described(network: nn.Module, refer: Refer, name: str) -> Form:
    """The form of a module that is called `name`. Raises LabError for what no form can hold, naming the layer."""
    return _Describer(network, refer, name).layer(network, "")


class _Describer:
    def __init__(self, network: nn.Module, refer: Refer, name: str) -> None:
        self.refer, self.name = refer, name
        self.seen: dict[int, str] = {}
        tensors = [*network.named_parameters(remove_duplicate=False), *network.named_buffers(remove_duplicate=False)]
        self.tensors = {id(tensor): path for path, tensor in reversed(tensors)}
        self.layers = {id(layer): path for path, layer in network.named_modules()}
        self.within: set[int] = set()  # values that are being described

    def layer(self, layer: nn.Module, path: str) -> Form:
        if id(layer) in self.seen:
            return {"same": self.seen[id(layer)]}
        self.seen[id(layer)] = path
        if any(getattr(layer, hooks) for hooks in HOOKS):
            remedy = "Compute in forward what it computes; for spectral or weight norm take torch.nn.utils.parametrizations."
            raise LabError(f"{self.at(path)} has a hook, which no run folder can keep. {remedy}")
        parametrized = parametrize.is_parametrized(layer)
        kind = type(layer).__bases__[0] if parametrized else type(layer)
        attributes = {key: value for key, value in vars(layer).items() if key not in INNER | REMADE}
        form = {
            "class": self.refer(kind),
            "attributes": {key: self.value(value, path, key) for key, value in sorted(attributes.items())},
            "parameters": {key: self.tensor(value, path, key) for key, value in layer._parameters.items()},
            "buffers": {key: self.tensor(value, path, key) for key, value in layer._buffers.items()},
            "modules": {
                key: None if child is None else self.layer(child, _inner(path, key))
                for key, child in layer._modules.items()
                if not (parametrized and key == "parametrizations")
            },
        }
        if parametrized:
            every: Any = layer.parametrizations
            form["parametrized"] = {key: self.parametrized(path, key, each) for key, each in every.items()}
        return form

    def parametrized(self, path: str, key: str, each: Any) -> Form:
        place = _inner(path, f"parametrizations.{key}")
        first: Tensor = each.original if each.is_tensor else each()  # several originals: what they make
        for name, original in each.named_parameters(recurse=False):
            self.seen[id(original)] = _inner(place, name)
        return {"shape": list(first.shape), "by": [self.layer(one, _inner(place, str(index))) for index, one in enumerate(each)]}

    def tensor(self, tensor: Tensor | None, path: str, key: str) -> Form | None:
        if tensor is None:
            return None
        if id(tensor) in self.seen:
            return {"same": self.seen[id(tensor)]}
        self.seen[id(tensor)] = _inner(path, key)
        if tensor.dtype == torch.bfloat16:
            where = self.at(self.seen[id(tensor)])
            raise LabError(f"{where} is bfloat16, which no checkpoint keeps. Keep it in float32, and cast in forward.")
        return {"shape": list(tensor.shape), "dtype": str(tensor.dtype).removeprefix("torch.")}

    def value(self, value: Any, path: str, key: str) -> Any:
        def each(values: Any) -> list[Any]:
            return [self.value(one, path, key) for one in values]

        if type(value) in (type(None), bool, int, str) or (type(value) is float and math.isfinite(value)):
            return value
        match value:
            case list() | tuple() | dict() if type(value) in (list, tuple, dict):
                with self.deeper(value, path, key):
                    return {type(value).__name__: each(value.items() if isinstance(value, dict) else value)}
            case float() if type(value) is float:
                return {"float": str(value)}
            case np.generic():
                return self.value(value.item(), path, key)
            case torch.dtype():
                return {"dtype": str(value).removeprefix("torch.")}
            case nn.Module() if id(value) in self.layers:
                return {"module": self.layers[id(value)]}
            case nn.Module():
                remedy = "Use nn.ModuleList or nn.ModuleDict."
                raise LabError(f"{self.at(path)} has layers in {key}, where torch does not find their weights. {remedy}")
            case Tensor() if id(value) in self.tensors:
                return {"tensor": self.tensors[id(value)]}
            case Tensor() | np.ndarray():
                raise LabError(f"{self.at(path)} keeps numbers as {key}, outside its buffers. Use self.register_buffer({key!r}, …).")
        with self.deeper(value, path, key):
            try:
                if isinstance(value, type | FunctionType) or (
                    isinstance(value, BuiltinFunctionType) and not isinstance(value.__self__, type)
                ):
                    return {"code": self.refer(value)}
                made, *rest = value.__reduce_ex__(2)  # what a copy is made of
                given, state, items, pairs = (*rest, None, None, None)[:4]
                form = {"made": self.refer(made), "of": each(given), "state": self.value(state, path, key)}
                return form | {"items": each(items or ()), "pairs": each(pairs or ())}
            except LabError as error:
                named = str(error) if str(error).startswith(self.name) else f"{self.at(path)} has {key}: {error}"
                raise LabError(named) from None
            except (TypeError, ValueError, AttributeError):
                what = f"{self.at(path)} has {key}, a {type(value).__name__}, which no run folder can keep"
                raise LabError(f"{what}. Plain values and objects of them, functions, buffers and layers can be.") from None

    @contextmanager
    def deeper(self, value: Any, path: str, key: str) -> Iterator[None]:
        if id(value) in self.within:
            raise LabError(f"{self.at(path)} has {key}, which holds itself: no run folder can keep that.")
        self.within.add(id(value))
        try:
            yield
        finally:
            self.within.discard(id(value))

    def at(self, path: str) -> str:
        """A layer as a message names it."""
        return f"{self.name}.{path}" if path else self.name


def built(form: Form, find: Find) -> nn.Module:
    """A module of that form, its tensors zero. Raises LabError, and what `find` raises."""
    return _Builder(find).whole(form)


class _Builder:
    def __init__(self, find: Find) -> None:
        self.find = find
        self.made: dict[str, Any] = {}  # layers and tensors by path
        self.due: list[tuple[nn.Module, Form]] = []

    def whole(self, form: Form) -> nn.Module:
        network = self.layer(form, "")
        for layer, attributes in self.due:  # which may mention any layer and tensor
            self.put(layer, attributes)
            if isinstance(layer, nn.RNNBase):
                layer._init_flat_weights()
        return network

    def put(self, layer: nn.Module, attributes: Form) -> None:
        if hidden := [key for key in attributes if key in INNER]:
            raise ValueError(f"{hidden[0]} is no attribute")
        vars(layer).update({key: self.value(value) for key, value in attributes.items()})

    def layer(self, form: Form, path: str) -> nn.Module:
        if "same" in form:
            return self.made[form["same"]]  # type: ignore[no-any-return]
        kind = self.find(form["class"])
        layer: nn.Module = kind.__new__(kind)
        nn.Module.__init__(layer)
        self.made[path] = layer
        for key, parametrized in form.get("parametrized", {}).items():
            layer.register_parameter(key, nn.Parameter(torch.zeros(parametrized["shape"])))
        for key, tensor in form["parameters"].items():
            layer._parameters[key] = self.tensor(tensor, _inner(path, key), nn.Parameter)
        for key, tensor in form["buffers"].items():
            layer._buffers[key] = self.tensor(tensor, _inner(path, key), lambda values: values)
        for key, child in form["modules"].items():
            layer._modules[key] = None if child is None else self.layer(child, _inner(path, key))
        for key, parametrized in form.get("parametrized", {}).items():
            place = _inner(path, f"parametrizations.{key}")
            for index, one in enumerate(parametrized["by"]):
                by = self.layer(one, _inner(place, str(index)))
                self.put(by, one["attributes"])  # what it computes now may depend on them
                parametrize.register_parametrization(layer, key, by, unsafe=True)
        self.due.append((layer, form["attributes"]))
        return layer

    def tensor(self, form: Form | None, path: str, kind: Callable[[Tensor], Any]) -> Any:
        if form is None:
            return None
        if "same" not in form:
            self.made[path] = kind(torch.zeros(form["shape"], dtype=getattr(torch, form["dtype"])))
        return self.made[form.get("same", path)]

    def value(self, value: Any) -> Any:
        def each(values: Any) -> list[Any]:
            return [self.value(one) for one in values]

        if not isinstance(value, dict):
            return value
        if "made" in value:
            thing = self.find(value["made"])(*each(value["of"]))
            return _filled(thing, self.value(value["state"]), each(value["items"]), each(value["pairs"]))
        ((name, held),) = value.items()
        match name:
            case "float":
                return float(held)
            case "tuple":
                return tuple(each(held))
            case "list":
                return each(held)
            case "dict":
                return dict(each(held))
            case "dtype":
                return getattr(torch, held)
            case "module" | "tensor":
                return self.made[held]
            case "code":
                return self.find(held)
        raise ValueError(f"no value is called {name!r}")


def _filled(thing: Any, state: Any, items: list[Any], pairs: list[Any]) -> Any:
    """A copy of an object with what its making left out, as `copy.copy` fills one."""
    if hasattr(thing, "__setstate__") and state is not None:
        thing.__setstate__(state)
    elif state is not None:
        plain, slots = state if isinstance(state, tuple) else (state, None)
        vars(thing).update(plain or {})
        for name, value in (slots or {}).items():
            object.__setattr__(thing, name, value)
    for item in items:
        thing.append(item)
    for key, value in pairs:
        thing[key] = value
    return thing


def _inner(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key
