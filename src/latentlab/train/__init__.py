"""From a configuration to a trained run. The Run facade: what training gives, and what is opened again later."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Unpack

from latentlab.base import callable_room
from latentlab.base.errors import LabError, refusal
from latentlab.base.images import data_uri
from latentlab.base.signals import StopFlag
from latentlab.config.options import Options
from latentlab.config.parts import OWN, by_leaf
from latentlab.config.schema import Config
from latentlab.runs.folder import open_folder
from latentlab.runs.trained import Trained
from latentlab.show.explorer.widget import Explorer
from latentlab.show.figures import draw_figures
from latentlab.train.events import Event, Warned

if TYPE_CHECKING:
    from latentlab.train.session import Session


class Run(Trained):
    """A trained run, and what can be done with it beside looking at it."""

    def evaluate(self, split: Literal["train", "val", "test"] = "test", **options: Any) -> dict[str, Any]:
        """Measure the run and write scores.json; returns what was measured.

        `options` are those of `latentlab.measure.scores.evaluate_run`: samples, nll_samples, nll_images, extractors, data.
        """
        from latentlab.measure.scores import evaluate_run

        known = list(inspect.signature(evaluate_run).parameters)[2:]
        if unknown := [name for name in options if name not in known]:
            raise refusal("an option of evaluate", f"one of {', '.join(known)}", unknown[0])
        return evaluate_run(self, split, **options)

    def resume(self, epochs: float | None = None, steps: int | None = None, data: Any = None, **settings: float) -> Run:
        """Go on, bit for bit, to a new total of epochs or steps, or as far as it was meant to go; see `latentlab.resume`."""
        return resume(self.path, epochs, steps, data, trust=self.trust, **self.given, **settings)

    def finetune(self, out: str | Path | None = None, **changes: Unpack[Options]) -> Run:
        """A new run of this one's preset and configuration but for `changes`, whose networks start as this one's: `train.init_from`.

        `run.finetune(learning_rate=1e-4, data="folder:mine", epochs=5)`. Its optimiser begins anew; the run itself stays as it is. Raises
        LabError.
        """
        from latentlab.runs.folder import next_folder
        from latentlab.train.start import as_config, create, parts_in

        asked: dict[str, Any] = {**changes}
        given = {**self.given, **parts_in(asked)}
        origins = dict.fromkeys(self.config.values({"origin"})) | {"train.init_from": str(self.path)}
        config = as_config(self.config, **origins, **asked)
        place = out if out is not None else next_folder(f"{self.path.name}-tuned", config.data.spec, self.path.parent)
        session = create(config, place, given, self.trust)
        run_to_end(session, _warn)
        return Run(session.folder, given, self.trust)

    def export(self, format: str, out: str | Path, lang: str = "en") -> list[Path]:
        """Write the run for other programs: "onnx", "python", "safetensors" or "tensorboard" (docs/export.md). Raises LabError."""
        from latentlab.train.exchange import export

        return export(self, format, out, lang)

    def frame(self) -> Any:
        """Every line of metrics as a pandas frame. Raises LabError without pandas."""
        try:
            from pandas import DataFrame
        except ImportError:
            raise LabError("run.frame() needs pandas, which is not installed: pip install pandas. run.metrics() needs nothing.") from None
        return DataFrame(self.metrics())

    def explore(self, lang: str = "en") -> Explorer:
        """The live explorer of this run, for a notebook: see `latentlab.explore`, which shows several."""
        return Explorer({self.path.name: self.folder}, lang)

    def _repr_html_(self) -> str:
        """What it is, its curves and its samples, for notebooks: styles inline and pictures inside, so that they stay anywhere."""
        found = [path for name in ("loss", "samples") if (path := self.folder.figures / f"{name}.png").is_file()]
        alt = escape(self.in_words())
        pictures = (
            f'<img alt="{alt}: {path.stem}" style="max-width:48%;margin:4px" src="{data_uri(path.read_bytes(), "image/png")}">'
            for path in found
        )
        return f"<div><p><code>{escape(str(self.path))}</code> {alt}</p>{''.join(pictures)}</div>"


def open_run(path: str | Path, *, trust: bool = False, **own: Any) -> Run:
    """A run that exists. Raises LabError when the folder holds none.

    What of it is somebody's own is given again (`encoder=…`), or made anew from the folder, whose code is run with `trust` only.
    """
    return Run(open_folder(Path(path).expanduser()), own, trust)


def import_run(
    file: str | Path, like: str | Config, out: str | Path | None = None, *, mean: str | None = None, **changes: Unpack[Options]
) -> Run:
    """Somebody else's trained networks as a run: a torch state dict, a Keras model or a run folder, in the form of a preset with `changes`.

    `import_run("vae.pt", "mlp-vae", data="mnist", latent_dim=20)`; docs/export.md tells what fits. `mean` names the layer that gives
    the posterior's mean where names do not tell. Raises LabError for the first tensor that does not fit.
    """
    from latentlab.train.exchange.foreign import bring
    from latentlab.train.start import as_config

    if isinstance(like, str) and changes.get("data") is None:
        raise refusal("data", "what the networks were trained on, such as mnist", None)
    return Run(bring(file, as_config(like, **changes), out, mean).folder)


def train(what: str | Config, out: str | Path | None = None, **changes: Unpack[Options]) -> Run:
    """Train a preset or a configuration to its end and return the run.

    `changes` are fields by name: `train("mlp-vae", data="mnist", latent_dim=2, epochs=5)`. Ctrl-C saves and returns.
    Networks, a loss or a GAN's step of one's own stand among them: `train("conv-vae", encoder=…, decoder=…)`; what they take
    and give stands in docs/own.md. Raises LabError for wrong input and NonFinite when a loss is not finite.
    """
    from latentlab.train.start import as_config, create, parts_in

    asked: dict[str, Any] = {**changes}
    given = parts_in(asked)
    session = create(as_config(what, **asked), out, given)
    run_to_end(session, _warn)
    return Run(session.folder, given)


def _completed(function: Callable[..., Any]) -> None:
    """Tell every option by its name, for editors that look at what runs (IPython), which know nothing of `Unpack`."""
    told = inspect.signature(function)
    fixed = [one for one in told.parameters.values() if one.kind is not one.VAR_KEYWORD]
    options = [
        inspect.Parameter(leaf, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=field.type) for leaf, field in by_leaf().items()
    ]
    others = dict.fromkeys(["data", *(part for parts in OWN.values() for part in parts)])
    more = [inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None) for name in others if name not in by_leaf()]
    function.__signature__ = told.replace(parameters=[*fixed, *more, *options])  # type: ignore[attr-defined]


_completed(train)


def resume(
    path: str | Path, epochs: float | None = None, steps: int | None = None, data: Any = None, *, trust: bool = False, **more: Any
) -> Run:
    """Continue a stopped or finished run, bit for bit; `epochs` or `steps` is its new total, `data` where its images lie now.

    `more` are settings that may change while a run trains (`learning_rate=1e-4`), changed from there on as by a request and told by a
    line of metrics; `patience_evaluations`; and parts of one's own, as `trust`, as `open_run` has them. Raises LabError.
    """
    from latentlab.train.start import parts_in, reopen

    own, config = parts_in(more), open_folder(path).config()
    settings = {".".join(config.locate(name)): value for name, value in more.items() if value is not None}
    session = reopen(path, epochs, steps, data, settings, given=own, trust=trust)
    run_to_end(session, _warn)
    return Run(session.folder, own, trust)


def run_to_end(session: Session, show: Callable[[Event], None], should_stop: Callable[[], bool] = lambda: False) -> int | None:
    """Train to the end, or until it should stop, showing each event, and draw the figures of a finished run.

    Returns the signal that stopped it, or None.
    """
    from latentlab.train.loop import events

    flag = StopFlag()
    with flag.installed():
        for event in events(session, lambda: flag() or should_stop(), draw_figures):
            show(event)
    return flag.signal


def _warn(event: Event) -> None:
    if isinstance(event, Warned):
        print(f"latentlab: {event.message}", file=sys.stderr)


callable_room(__name__, __name__)
