"""Starting and continuing runs: from a configuration to a folder with a checkpoint, and from a folder to the loop."""

from __future__ import annotations

import dataclasses
import errno
import math
import os
import uuid
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from latentlab.base.errors import Damaged, LabError, OutOfSpace, refusal
from latentlab.base.files import is_full, replace_json, replace_text
from latentlab.base.images import is_point
from latentlab.base.machine import environment, threads
from latentlab.base.texts import reason
from latentlab.config import PIXELS
from latentlab.config.fitting import DECODER_FORM, fitted
from latentlab.config.layers import BatchNorm, Shape, parameter_count
from latentlab.config.networks import networks
from latentlab.config.parts import OWN, DataConfig, GANModel, GANTrain, PriorConfig, VAEModel
from latentlab.config.presets import DECODERS_DATA, preset
from latentlab.config.schema import Config, one_length
from latentlab.data import canonical, load_data, parse, spec_of
from latentlab.measure.metrics.pixels import mean_pair_distance
from latentlab.models import build
from latentlab.models.learner import Learner
from latentlab.models.own import EXAMPLES, taken
from latentlab.models.tried import check, computes_narrow
from latentlab.runs import checkpoints
from latentlab.runs.code import Keeper, save
from latentlab.runs.folder import RunFolder, new_folder, next_folder, open_folder
from latentlab.runs.own import decoder_of, own_of, own_parts, rehearse, tell
from latentlab.runs.rebuilt import refuse_while_rebuilding
from latentlab.train.engines import computes_bf16, engine_device, engine_of, usual_threads
from latentlab.train.events import Event
from latentlab.train.loop import events
from latentlab.train.monitor import extractor_for, pin
from latentlab.train.origin import adopted, begin_from, init_origin
from latentlab.train.requests import live_settings
from latentlab.train.session import Session

if TYPE_CHECKING:
    from latentlab.data import Data
    from latentlab.train.group import Group


LENGTHS = ("train.epochs", "train.steps", "train.patience_evaluations")
PAIRED = 256  # training images whose pairs tell how unlike each other the images are
LONGER = 1.1  # than was asked for, in epochs, because steps are whole: said before it starts
MOST_PARAMETERS = 500_000_000  # with Adam's moments and two checkpoints at once, 8 GB


def settle(config: Config, data: Data, given: Collection[str] = ()) -> Config:
    """The configuration with all that results depend on fixed: threads, stages, the data's place, no batch above the set.

    `given` are the names of the parts that are somebody's own.
    """
    threads = usual_threads(config) if config.train.threads == "auto" else config.train.threads
    batch = min(config.train.batch_size, len(data.train))
    if isinstance(config.model, PriorConfig):
        config = config.replace(**{"model.classes": _classes(config.model, data)})
    config = config.replace(**{"data.spec": canonical(config.data.spec), "train.threads": threads, "train.batch_size": batch})
    config = fitted(config, data.shape, plain=not {"decoder", "loss"}.isdisjoint(given))
    normed = any(isinstance(layer, BatchNorm) for layers in networks(config.model, data.shape).values() for layer in layers)
    if normed and batch < 2 * config.train.shards:
        raise refusal("train.batch_size", reason("must.batch", least=2 * config.train.shards), batch)
    return config


def _classes(model: PriorConfig, data: Data) -> int:
    """How many classes are given to a model's networks. Raises LabError where there are none to give."""
    if model.conditional and (data.train.labels is None or not data.class_names or len(data.class_names) < 2):
        raise refusal("model.conditional", reason("must.labelled", spec=data.spec), True, reason("remedy.labelled"))
    return len(data.class_names or ()) if model.conditional else 0


def adopt_decoder(config: Config) -> Config:
    """A GAN configuration in the form of the decoder that `train.generator_from` names. Raises LabError if it cannot be."""
    if not isinstance(config.model, GANModel) or not isinstance(config.train, GANTrain):
        return config
    source = config.train.generator_from
    if source is None:
        if config.preset == "gan-from-vae" and config.train.init_from is None:
            raise LabError(reason("decoder"))
        return config
    folder = open_folder(source)
    other = folder.config()
    if other.family == "gan":
        raise refusal("train.generator_from", reason("must.encoder"), source)
    if isinstance(other.model, VAEModel) and other.model.likelihood != "auto" and PIXELS[other.model.likelihood].mean:
        raise refusal("train.generator_from", reason("must.sigmoid", likelihood=other.model.likelihood), source)
    form = {f"model.{name}": getattr(other.model, name, getattr(PriorConfig(), name)) for name in DECODER_FORM}
    default = preset(config.preset).model
    for name, value in form.items():
        leaf = name.partition(".")[2]
        asked = getattr(config.model, leaf)
        if asked not in (getattr(default, leaf), value):
            raise refusal(name, reason("must.alike", value=value, source=source), asked)
    if config.data.spec == DECODERS_DATA:
        form["data"] = dataclasses.replace(other.data, root=config.data.root or other.data.root, offline=config.data.offline)
    return config.replace(**form, **{"train.generator_from": str(folder.path.resolve())})


def create(
    config: Config,
    out: str | Path | None = None,
    given: Mapping[str, Any] | None = None,
    trust: bool = False,
    begin: Callable[[Learner], tuple[dict[str, Any], list[str]]] | None = None,
    group: Group | None = None,
) -> Session:
    """A new run folder, whole up to the checkpoint of step 0, opened for training. Raises LabError; then nothing is left.

    `given` are parts of somebody's own, by name (docs/own.md). `trust` lets a decoder of such code be made again from
    the run that the generator starts from. `begin` gives the learner other first weights; it returns facts for environment.json
    and remarks. `group` are the processes that compute its shards.
    """
    refuse_while_rebuilding()
    config = init_origin(adopt_decoder(config))
    given = dict(given or {})
    if source := getattr(config.train, "generator_from", None):
        given = given if "generator" in given else decoder_of(open_folder(source), trust) | given
    if config.train.init_from:
        given = own_parts(open_folder(config.train.init_from), trust, given)
    if missing := sorted(set(dict(config.own)) - set(given)):
        raise refusal(missing[0], f"given: the configuration was one of somebody's own, {dict(config.own)[missing[0]]}", "none")
    device = engine_device(config, given)
    data = load_data(config.data) if group is None else group.read(config.data)
    asked, config = config.train.batch_size, settle(config, data, given)
    bf16 = computes_bf16(config, config.train.precision, device)
    own, forms, keeper = taken(config, data.shape, given), {}, Keeper()
    if given:
        with threads(int(config.train.threads)):
            forms = check(config, data.shape, own, torch.from_numpy(data.train.take(slice(EXAMPLES))), keeper.refer)
        config = config.replace(own=tuple((name, tell(form)) for name, form in forms.items()))
        bf16 = bf16 and computes_narrow(config, data.shape, own)
    counts = parameter_counts(config, data.shape)
    learner = build(config, data.shape, device, bf16, own)
    counts |= {name: sum(p.numel() for p in learner.networks[name].parameters()) for name in own.networks}
    if isinstance(config.train, GANTrain) and config.train.generator_from:
        begin_from(learner, "train.generator_from", config.train.generator_from, {"generator": "decoder"}, data.shape)
    begun, said = begin(learner) if begin else ({}, [])
    if config.train.init_from:
        same = {name: name for name in learner.networks}
        step = begin_from(learner, "train.init_from", config.train.init_from, same, data.shape)
        begun = begun | {"started_from": {"run": Path(config.train.init_from).name, "step": step}}
    remarks = [*data.notes, *notes(config, asked, learner.images_per_step, len(data.train)), *said]
    if config.train.precision == "bf16" and not bf16:
        remarks.append(reason("note.precision"))
    engine, told = engine_of(config, data.shape, learner, device, remarks.append)
    engine = engine if group is None else group.lead(learner, device, config, data, bf16)
    facts = environment(device, int(config.train.threads), bf16) | told | about(data) | {"parameters": counts, "notes": remarks} | begun
    if config.family == "gan" and not is_point(data.shape):
        facts["watched_by"] = pin(extractor_for(data))

    def fill(folder: RunFolder) -> Session:
        replace_text(folder.path / "config.json", config.to_json())
        replace_json(folder.path / "environment.json", facts)
        folder.write_status("starting", 0)
        if forms:
            save(folder.path, forms, keeper)
        session = Session(folder, config, data, engine, device, own)
        if not session.save():
            raise OSError(errno.ENOSPC, "the checkpoint of step 0 could not be kept")
        if forms:
            rehearse(folder, given)
        session.warnings[:] = remarks
        return session

    place = Path(out).expanduser() if out is not None else next_folder(config.preset, config.data.spec)
    pictures = parse(config.data.spec).path
    if pictures is not None and place.resolve().is_relative_to(pictures.resolve()):
        raise refusal("out", reason("must.outside", pictures=pictures), str(place), reason("remedy.folder"))
    return placed(place, fill)


def placed(place: Path, fill: Callable[[RunFolder], Session]) -> Session:
    """The session that fills a folder, which comes to its place whole and locked. Raises OutOfSpace; then nothing is left."""
    with ExitStack() as lock:
        try:
            with new_folder(place) as folder:
                lock.enter_context(folder.locked())  # and it stays locked when it moves
                session = fill(folder)
                if os.name == "nt":
                    lock.close()  # a folder with an open file does not move there
        except OSError as error:
            if is_full(error):
                raise OutOfSpace(reason("disk.room", place=place)) from None
            raise
        session.moved(RunFolder(place))
        if os.name == "nt":
            lock.enter_context(session.folder.locked())
        session.lock = lock.pop_all()
    return session


def parameter_counts(config: Config, shape: Shape) -> dict[str, int]:
    """How many numbers the configuration's networks learn, by name. Raises LabError for more than a machine holds."""
    counts = {name: parameter_count(layers) for name, layers in networks(config.model, shape).items()}
    if sum(counts.values()) > MOST_PARAMETERS:
        most = reason("must.parameters", most=f"{MOST_PARAMETERS:,}")
        raise refusal(reason("networks"), most, sum(counts.values()), reason("remedy.parameters"))
    return counts


def about(data: Data) -> dict[str, Any]:
    """What environment.json says of the images."""
    return {
        "data_fingerprint": data.fingerprint,
        "image_shape": list(data.shape),
        "images": {"train": len(data.train), "val": len(data.val), "test": len(data.test)},
        "class_names": list(data.class_names) if data.class_names else None,
        "class_shares": class_shares(data),
        "pair_distance": mean_pair_distance(data.train.take(slice(PAIRED))) if len(data.train) > 1 and not is_point(data.shape) else None,
        "skipped": list(data.skipped),
    }


def class_shares(data: Data) -> list[float] | None:
    """How often each class is among the training images; None without classes."""
    if data.train.labels is None or not data.class_names:
        return None
    counts = np.bincount(data.train.labels, minlength=len(data.class_names))
    return (counts / counts.sum()).tolist()  # type: ignore[no-any-return]


def notes(config: Config, asked: int, images_per_step: int, images: int) -> Iterator[str]:
    """What is otherwise than it was asked for: a batch above the set; epochs that whole steps overrun; statistics by shard; rates of 0."""
    if asked > config.train.batch_size:
        yield reason("note.batch", batch=config.train.batch_size, asked=asked)
    steps = math.ceil(config.train.epochs * images / images_per_step)
    if config.train.steps is None and (total := steps * images_per_step / images) > LONGER * config.train.epochs:
        told = {"epochs": f"{config.train.epochs:g}", "read": f"{images_per_step:,}", "count": f"{images:,}"}
        yield reason("note.epochs", **told, total=f"{total:.4g}")
    if config.statistics_of:
        yield reason("note.shards", images=config.statistics_of)
    read, ends = (config.train.steps or steps) * images_per_step, config.train.rate_decay_images
    if 0 < ends < read and config.train.rate_final == 0:
        yield reason("note.rates", images=f"{ends:,}")


def reopen(
    path: str | Path,
    epochs: float | None = None,
    steps: int | None = None,
    data: Any = None,
    settings: Mapping[str, float] | None = None,
    from_step: int | None = None,
    given: Mapping[str, Any] | None = None,
    trust: bool = False,
    group: Group | None = None,
) -> Session:
    """A run folder opened to go on from its newest whole checkpoint, to a new total if one is given.

    Parts that are somebody's own are `given` again, or made anew from the run folder, which is told to `trust` their code.

    `data` is the SPEC under which its images are found now. `settings` are changed from there on, as by a request to a run
    that trains: a line of metrics tells it; a patience among them is a length, and is as if it had been so from the start.
    `from_step` goes back to an older checkpoint; what came after it is forgotten. Raises LabError.
    """
    refuse_while_rebuilding()
    folder = open_folder(path)
    with ExitStack() as lock:
        lock.enter_context(folder.locked())
        folder.forget_requests()  # what was asked of an earlier process
        config = folder.config()
        one_length({"epochs": epochs, "steps": steps})
        given_settings = {"train.epochs": epochs, "train.steps": steps} | dict(settings or {})
        length = {name: value for name in LENGTHS if (value := given_settings.pop(name, None)) is not None}
        config = config.replace(**length)
        asked = live_settings(config, given_settings) if given_settings else {}
        images, facts = folder.data(data, None if group is None else group.read), folder.environment()
        folder.tidy()
        try:
            rows = folder.metrics()
        except Damaged as error:
            raise Damaged(f"{error} Or move it away: the checkpoints are whole without it, the curves then begin anew.") from None
        warnings: list[str] = []
        own = own_of(folder, config, images.shape, given or {}, trust)
        device = engine_device(config, given or {})
        bf16 = computes_bf16(config, facts.get("precision", config.train.precision), device)  # as "auto" was on the first machine
        learner = build(config, images.shape, device, bf16, own)
        engine, _ = engine_of(config, images.shape, learner, device, warnings.append, facts.get("keras_backend"))
        engine = engine if group is None else group.lead(learner, device, config, images, bf16)
        session = Session(folder, config, images, engine, device, own)
        checkpoints.newest(folder.checkpoints, warnings.append, partial(session.restore, rows), from_step)
        session.warnings += warnings
        if length:
            session.warnings += notes(config, config.train.batch_size, session.engine.images_per_step, len(images.train))
        if asked:
            session.requests.waiting.append({"id": uuid.uuid4().hex, "action": "set", "set": asked})
        p, early = session.position, session.why_early()
        if session.is_done() and (early if length else folder.status().get("state") != "finished"):
            # Killed between its last checkpoint and its last word, or longer and early all the same: `finish` does what is left.
            session.saved_at = p.step
            if any(row["split"] == "val" and row["step"] >= p.step for row in folder.metrics()):
                session.evaluated_at = p.step
        elif session.is_done():
            longer = reason("longer", path=path, steps=p.step, epochs=f"{p.images_seen / len(images.train):.4g}")
            raise LabError(f"{path}: {early}" if early else longer)
        if from_step is not None:
            checkpoints.forget(folder.checkpoints, p.step)
        replace_text(folder.path / "config.json", config.to_json())
        folder.truncate_metrics(p.step if p.step else -1)
        folder.forget_pictures(p.step)
        folder.write_status("starting", p.step)
        session.lock = lock.pop_all()
    return session


def as_config(what: str | Config, **changes: Any) -> Config:
    """A preset's name or a configuration, with fields changed by name.

    A preset that starts from a run (`init_from`) has that run's model, and its data where none are named.
    """
    if not isinstance(what, str | Config):
        raise refusal("what to train", "a preset's name or a Config", what)
    one_length(changes)
    base = preset(what) if isinstance(what, str) else what
    if not isinstance(changes.get("data"), DataConfig | None):
        changes["data"] = spec_of(changes["data"])
    source = changes.get("train.init_from", changes.get("init_from"))
    if source is not None and isinstance(what, str):
        base = adopted(base, source, is_placed=any(changes.get(name) is not None for name in ("data", "data.spec", "spec")))
    return base.replace(**changes) if changes else base


def parts_in(changes: dict[str, Any]) -> dict[str, Any]:
    """The parts of somebody's own among the changes of a configuration, which are left without them."""
    names = {part for parts in OWN.values() for part in parts}
    found = {name: changes.pop(name) for name in list(changes) if name in names and not isinstance(changes[name], str)}
    return {name: part for name, part in found.items() if part is not None}


def steps(what: str | Config, out: str | Path | None = None, **changes: Any) -> Iterator[Event]:
    """The training loop itself, one event at a time: `for event in ll.steps(config): …`."""
    given = parts_in(changes)
    yield from events(create(as_config(what, **changes), out, given))
