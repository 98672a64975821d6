"""The page Train: choose data and a model, start; or watch the run that the address names."""

from __future__ import annotations

import math
from functools import partial
from html import escape
from urllib.parse import urlencode

import streamlit as st

from latentlab.base.errors import LabError
from latentlab.base.images import Images, is_point
from latentlab.base.texts import number
from latentlab.config.fitting import DECODER_FORM, length_for
from latentlab.config.parts import DataConfig
from latentlab.config.presets import PRESETS, preset
from latentlab.config.schema import Config
from latentlab.config.sources import SOURCES
from latentlab.show.charts.payload import capital
from latentlab.show.figures.plane import scatter_png
from latentlab.studio import datasets as sources
from latentlab.studio import estimate, layers, server, watch
from latentlab.studio.actions import train
from latentlab.studio.form import all_fields, form, from_address, to_address
from latentlab.studio.frame import PAGES, in_one_line
from latentlab.studio.library import Library, here
from latentlab.studio.overview import overviews
from latentlab.studio.several import several
from latentlab.studio.state import HIDE, KEY, RUN, asked, chosen, hidden, lang, params, plain, put, say, shown, told

FIRST = "conv-vae"  # the preset that the page begins with
FAMILIES = {"ae": "conv-ae", "vae": FIRST, "gan": "sn-gan", "gan-from-vae": "gan-from-vae"}  # what is chosen first, and its preset
PER_ROW = 12  # images of the preview
MOST = 10  # sets that are shown side by side
PRESET, DATA, FROM = "preset", "data", "from"  # parameters of the address


def draw() -> None:
    """The form, or the run."""
    if (name := asked(RUN)) is not None:
        watch.draw(name)
        return
    library = here()
    with st.container(horizontal=True, vertical_alignment="center"):
        st.title(say("studio.train.title"), anchor=False)
        if shown("tour"):
            st.html(f'<button class="latentlab-show" data-tour="begin">{escape(say("studio.tour"))}</button>', width="content")
    chooses = shown(PRESET) or shown(DATA) or shown(FROM)
    left, right = st.columns(2, gap="large") if chooses else (st.container(), st.container())
    with right:
        name = _preset()
        usual = _with_source(library, preset(name))
    if usual is None:
        return
    with left:
        usual = _with_data(library, usual)
        strip = st.container(key="strip")
    usual = _with_length(usual)
    given = {one.name: value for one in all_fields(usual) if (value := asked(one.name)) is not None}
    start, wrong = from_address(usual, given)
    _forget_widgets(name, start)
    begin = st.container(horizontal=True, vertical_alignment="center", key="begin")
    config, refused = form(start, usual)
    for error in [*wrong, *refused]:
        st.error(plain(told(error)), icon=":material/error:")
    if not refused:
        if config != start:  # what an address means already is not written anew: the way back would lead to the same form again
            put(to_address_of(config, usual))
        st.session_state["train:written"] = _written(config)
    with begin:
        if st.button(say("studio.train.start"), type="primary", icon=":material/play_arrow:", disabled=bool(refused), key="train:start"):
            st.query_params.from_dict(params(run=train(library, config)))
            st.rerun()
        beside = st.container(width="content")
        ahead = st.empty()
    _share(config)
    with strip:  # last of what takes time: the form need not wait for it
        seen = _preview(config.data, sources.choice_of(config.data.spec, library.data_root))
    shape = sources.shape_of(config.data, seen)
    with right:
        layers.draw(config, shape)
    images = seen.train_images if seen is not None else 0
    time = _seconds(config, shape, images, library) if images and not refused else None
    if time is not None:
        ahead.markdown(_ahead(config, shape, images, time))
    if not refused and shown("several"):
        with beside, st.popover(say("studio.several"), icon=":material/stacks:", key="train:several"):
            in_one_line(several)(library, config, time)


def _seconds(config: Config, shape: tuple[int, int, int], images: int, library: Library) -> float | None:
    """About how long a run takes here; None of a form that the images do not allow, which the picture of the networks says."""
    try:
        return estimate.seconds(config, shape, images, library)
    except LabError:
        return None


def _ahead(config: Config, shape: tuple[int, int, int], images: int, time: float) -> str:
    """What will happen when it is started, and about how long that takes here."""
    steps = config.train.steps or math.ceil(config.train.epochs * images / estimate.images_per_step(config))
    kind = "gan-from-vae" if config.preset == "gan-from-vae" else config.kind
    about = estimate.about(time, lang())
    said = {"kind": say(f"run.{kind}.one"), "images": number(images, lang()), "steps": number(steps, lang()), "time": about}
    return say("studio.train.ahead.points" if is_point(shape) else "studio.train.ahead", **said)


def _preset() -> str:
    """The model that is chosen, its family first, with what its preset says of itself."""
    if not shown(PRESET):
        return str(chosen("train:preset", PRESET, PRESETS, FIRST, None))
    named = {family: say(f"run.{family}.short") for family in FAMILIES}
    family = partial(st.segmented_control, say("studio.train.model"), list(FAMILIES), format_func=named.__getitem__, required=True)
    kind = chosen(
        "train:family", PRESET, FAMILIES, "vae", family,
        read=lambda: _family(name) if (name := asked(PRESET)) in PRESETS else None,
        write=lambda family: {PRESET: FAMILIES[family] if FAMILIES[family] != FIRST else None, FROM: None},
    )  # fmt: skip
    names = [name for name in PRESETS if _family(name) == kind]
    choice = partial(
        st.selectbox, say("studio.train.network"), names, format_func=lambda name: say(f"studio.preset.{name}"),
        help=say("studio.train.model.help"),
    )  # fmt: skip
    name: str = chosen(
        "train:preset", PRESET, names, FAMILIES[kind], choice if len(names) > 1 else None,
        write=lambda name: {PRESET: name if name != FIRST else None, FROM: None},
    )  # fmt: skip
    return name


def _family(name: str) -> str:
    """The family under which a preset is found."""
    return name if name in FAMILIES else preset(name).family


def _with_source(library: Library, config: Config) -> Config | None:
    """A GAN that starts from a decoder, with the run that it starts from; None, and what to do, where there is none."""
    if config.preset != "gan-from-vae":
        return config
    runs = [run for run in overviews(library) if run.trained and run.config is not None and run.config.family != "gan"]
    names = sorted((run.name for run in runs), key=lambda name: (name.count("/"), name))
    if not names:
        st.info(say("studio.train.no_decoder"), icon=":material/info:")
        return None
    choice = partial(st.selectbox, say("studio.train.from"), names, help=say("help.train.generator_from"))
    name = chosen("train:from", FROM, names, names[0], choice if shown(FROM) else None, write=lambda name: {FROM: name})
    other = library.open(name).config()
    taken = {f"model.{leaf}": getattr(other.model, leaf) for leaf in DECODER_FORM}
    return config.replace(**taken, **{"data": other.data, "train.generator_from": str(library.path(name))})


def _with_data(library: Library, config: Config) -> Config:
    """The images that are chosen. A GAN from a decoder has those of its decoder's run."""
    if config.preset == "gan-from-vae":
        st.caption(say("studio.train.from_data", data=plain(sources.choice_of(config.data.spec, library.data_root))))
        return config
    names = sources.choices_for(config.data, library.data_root)
    how = partial(st.pills, required=True) if len(names) <= MOST else st.selectbox
    choice = partial(how, say("studio.train.data"), names, format_func=_data_label, help=say("studio.train.data.help"))
    name = chosen("train:data", DATA, names, names[0], choice if shown(DATA) else None)
    changed = {"data.spec": sources.spec_of(name, library.data_root)}
    return config.replace(**changed, **({"data.root": library.data_root} if library.data_root else {}))


def _with_length(config: Config) -> Config:
    """The preset's length, or a longer one for a small set that is at hand: ten epochs of digits are 113 steps, and blobs."""
    try:
        seen = None if sources.missing_bytes(config.data) else sources.preview(config.data)
    except LabError:  # which the preview says
        return config
    if seen is None or seen.train_images < 1 or config.train.steps is not None:
        return config
    return config.replace(**length_for(seen.train_images, config.family, config.train.epochs, config.train.batch_size))


def _data_label(choice: str) -> str:
    if choice.startswith(sources.FOLDER):
        return say("studio.train.folder", name=choice.removeprefix(sources.FOLDER))
    return say(f"studio.data.{choice}").partition(":")[0].strip()


def _preview(config: DataConfig, choice: str) -> sources.Preview | None:
    """Some real images; None, and why, where there are none yet."""
    described = say(f"studio.data.{choice}").partition(":")[2].strip() if choice in SOURCES else ""
    if missing := sources.missing_bytes(config):
        st.caption(capital(described))
        st.info(say("studio.train.download", megabytes=number(missing / 1e6, lang(), 0)), icon=":material/download:")
        return None
    try:
        seen = sources.preview(config)
    except LabError as error:
        st.error(plain(told(error)), icon=":material/error:")
        return None
    height, width, channels = seen.shape
    if is_point(seen.shape):
        said = say("studio.train.points", n=number(len(seen.images), lang()), all=number(seen.count, lang()))
        st.image(scatter_png(seen.images), alt=said, caption=said)
        return seen
    what = described or say("studio.train.preview.count", n=number(seen.count, lang()))
    kind = say("page.grey" if channels == 1 else "page.color")
    st.image(
        _strip(seen.images),
        alt=say("studio.train.preview.alt", n=number(len(seen.images), lang())),
        caption=say("studio.train.preview", what=capital(what), height=height, width=width, kind=kind),
        width="stretch",
        output_format="PNG",
    )
    if seen.odd:
        st.warning(say("studio.train.odd", n=seen.odd), icon=":material/warning:")
    for note in seen.notes:
        st.warning(plain(told(note)), icon=":material/warning:")
    return seen


def _strip(images: Images) -> Images:
    """Images in rows, each enlarged by whole pixels."""
    import numpy as np

    from latentlab.base.images import grid

    scale = max(1, 84 // images.shape[1])
    enlarged = images.repeat(scale, 1).repeat(scale, 2)
    sheet = np.asarray(grid(enlarged, PER_ROW, gap=4))
    return sheet[..., 0] if sheet.shape[-1] == 1 else sheet


def _forget_widgets(name: str, config: Config) -> None:
    """When the address was changed from outside (a link, Back), the widgets take their values from it again."""
    written = _written(config)
    if st.session_state.get("train:written") != written:
        for key in [key for key in st.session_state if str(key).startswith(f"train:{name}:")]:
            del st.session_state[key]
        st.session_state["train:written"] = written


def _written(config: Config) -> tuple[str, ...]:
    return (config.preset, config.data.spec, *(f"{name}={value}" for name, value in to_address(config).items() if value is not None))


def to_address_of(config: Config, usual: Config) -> dict[str, str | None]:
    """The parameters of a configuration: what is neither the preset's nor its decoder's."""
    base = to_address(usual)
    return {name: value if value != base[name] else None for name, value in to_address(config).items()}


def _share(config: Config) -> None:
    """The link that opens this form; for a teacher, without some of its controls."""
    if not shown("share"):
        return
    with st.popover(say("studio.train.share"), icon=":material/link:"):
        st.write(say("studio.train.share.how"))
        names = [PRESET, DATA, FROM, "advanced", "share", "several", "controls", "live", "new", *(one.name for one in all_fields(config))]
        pages = [name for name in PAGES if name != "train"]
        more = st.multiselect(say("studio.train.hide"), [*names, *pages], key="train:hide", format_func=_control)
        kept = {name: value for name, value in st.query_params.to_dict().items() if name != HIDE}
        kept |= {"token": token} if (token := server.shared.get("token")) else {}
        st.code(link(str(st.context.url or "/"), {**kept, KEY: lang()}, [*sorted(hidden()), *more]), language=None, wrap_lines=True)


def link(page: str, parameters: dict[str, str], hide: list[str]) -> str:
    """An address with these parameters and these controls hidden."""
    values = {**parameters, **({HIDE: ",".join(dict.fromkeys(hide))} if hide else {})}
    return page.partition("?")[0] + ("?" + urlencode(values, safe=",:/") if values else "")


def _control(name: str) -> str:
    if name in PAGES:
        return say("studio.train.control.page", name=say(f"studio.page.{name}"))
    return say(f"studio.train.control.{name}") if "." not in name else capital(say(f"field.{name}"))
