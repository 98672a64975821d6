"""A torch module as plain values: its layers' classes, their attributes and the shapes of their tensors. No pickle, in or out.

A module is made anew from such a form without its constructor: of each layer the class is found, its attributes are set, and
its tensors wait to be loaded. What is known of code is a reference; whoever describes or builds says what it stands for.

    layer       {class, attributes, parameters, buffers, modules, parametrized}
    tensor      {shape, dtype}, or {same: path} for one that an earlier layer has too
    value       what JSON has, or one of {tuple, list, dict, set, size, dtype, float, tensor, module, code, partial, object}
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
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
        return {"shape": list(tensor.shape), "dtype": str(tensor.dtype).removeprefix("torch.")}

    def value(self, value: Any, path: str, key: str) -> Any:
        def each(values: Any) -> list[Any]:
            return [self.value(one, path, key) for one in values]

        match value:
            case None | bool() | int() | str() if type(value) in (type(None), bool, int, str):
                return value
            case float():
                return value if math.isfinite(value) else {"float": str(value)}
            case np.generic():
                return self.value(value.item(), path, key)
            case torch.Size():
                return {"size": list(value)}
            case tuple() if type(value) is tuple:
                return {"tuple": each(value)}
            case list() if type(value) is list:
                return {"list": each(value)}
            case set() | frozenset():
                return {"set": each(sorted(value, key=repr))}
            case dict() if type(value) is dict:
                return {"dict": [each(pair) for pair in value.items()]}
            case torch.dtype():
                return {"dtype": str(value).removeprefix("torch.")}
            case nn.Module() if id(value) in self.layers:
                return {"module": self.layers[id(value)]}
            case nn.Module():
                raise LabError(
                    f"{self.at(path)} has layers in {key}, where torch does not find their weights. Use nn.ModuleList or nn.ModuleDict."
                )
            case Tensor() if id(value) in self.tensors:
                return {"tensor": self.tensors[id(value)]}
            case Tensor():
                raise LabError(f"{self.at(path)} keeps a tensor as {key}, outside its buffers. Use self.register_buffer({key!r}, …).")
            case functools.partial():
                return {"partial": each((value.func, value.args, value.keywords))}
        try:
            if callable(value) and hasattr(value, "__name__"):
                return {"code": self.refer(value)}
            if hasattr(value, "__dict__") and not hasattr(type(value), "__slots__"):
                held = [[name, self.value(one, path, key)] for name, one in sorted(vars(value).items())]
                return {"object": self.refer(type(value)), "holds": held}
        except LabError as error:
            raise LabError(f"{self.at(path)} has {key}: {error}") from None
        raise LabError(
            f"{self.at(path)} has {key}, a {type(value).__name__}, which no run folder can keep. Plain values, buffers and layers can be."
        )

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
            vars(layer).update({key: self.value(value) for key, value in attributes.items()})
            if isinstance(layer, nn.RNNBase):
                layer._init_flat_weights()
        return network

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
        if "object" in value:
            kind = self.find(value["object"])
            thing = object.__new__(kind)
            vars(thing).update({key: self.value(one) for key, one in value["holds"]})
            return thing
        ((name, held),) = value.items()
        match name:
            case "float":
                return float(held)
            case "size":
                return torch.Size(held)
            case "tuple":
                return tuple(each(held))
            case "list":
                return each(held)
            case "set":
                return set(each(held))
            case "dict":
                return {self.value(key): self.value(one) for key, one in held}
            case "dtype":
                return getattr(torch, held)
            case "module" | "tensor":
                return self.made[held]
            case "code":
                return self.find(held)
            case "partial":
                function, given, named = each(held)
                return functools.partial(function, *given, **named)
        raise LabError(f"a value of a kept module must be one of those that latentlab writes. Got {name!r}.")


def _inner(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key
