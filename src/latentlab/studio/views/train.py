"""The page Train: choose data and a model, start; or watch the run that the address names."""

from __future__ import annotations

import streamlit as st

from latentlab.base.errors import LabError
from latentlab.base.images import Images
from latentlab.base.texts import number
from latentlab.config.presets import DECODER_FORM, PRESETS, about, arguments, preset
from latentlab.config.schema import Config, DataConfig
from latentlab.studio import sources, tasks, watch
from latentlab.studio.form import all_fields, form, from_address, to_address
from latentlab.studio.frame import PAGES
from latentlab.studio.library import Place, here, sorted_names
from latentlab.studio.overview import Overview, overviews
from latentlab.studio.shapes import drawing
from latentlab.studio.state import HIDE, RUN, asked, hidden, params, put, shown
from latentlab.studio.words import KEY, lang, plain, say, told

FIRST = "conv-vae"  # the preset that the page begins with
PER_ROW = 8  # images of the preview
PRESET, DATA, FROM = "preset", "data", "from"  # parameters of the address


def draw() -> None:
    """The form, or the run."""
    if (name := asked(RUN)) is not None:
        watch.draw(name)
        return
    place = here()
    st.title(say("studio.train.title"), anchor=False)
    st.write(say("studio.train.intro"))
    left, right = st.columns([2, 3], gap="large")
    with left:
        chosen = _preset()
        usual = _with_source(place, preset(chosen))
        if usual is None:
            return
        usual = _with_data(place, usual)
    given = {one.name: value for one in all_fields(usual) if (value := asked(one.name)) is not None}
    start, wrong = from_address(usual, given)
    _forget_widgets(chosen, start)
    st.header(say("studio.train.settings"), anchor=False)
    config, refused = form(start, usual)
    for error in [*wrong, *refused]:
        st.error(plain(told(error)), icon=":material/error:")
    if not refused:
        if config != start:  # what an address means already is not written anew: the way back would lead to the same form again
            put(to_address_of(config, usual))
        st.session_state["train:written"] = _written(config)
    with st.container(horizontal=True, vertical_alignment="center"):
        if st.button(say("studio.train.start"), type="primary", icon=":material/play_arrow:", disabled=bool(refused), key="train:start"):
            begin(place, config)
        _share(config)
    with right:  # last of what takes time: the form need not wait for it
        seen = _preview(config.data)
    _networks(config, sources.shape_of(config.data, seen))


def _preset() -> str:
    """The model that is chosen, with what its preset says of itself."""
    names = list(PRESETS)
    first = asked(PRESET) if asked(PRESET) in names else FIRST
    if not shown(PRESET):
        return str(first)
    if st.session_state.get("train:preset") not in names or st.session_state.get("train:preset:asked") != asked(PRESET):
        st.session_state["train:preset"] = first
    chosen = st.selectbox(
        say("studio.train.model"),
        names,
        key="train:preset",
        format_func=lambda name: say(f"studio.preset.{name}"),
        help=say("studio.train.model.help"),
    )
    if chosen != first:
        put({PRESET: chosen if chosen != FIRST else None, FROM: None})
    st.session_state["train:preset:asked"] = asked(PRESET)
    with st.expander(say("studio.train.about", preset=chosen), icon=":material/info:"):
        st.text(about(chosen))
    return chosen


def _with_source(place: Place, config: Config) -> Config | None:
    """A GAN that starts from a decoder, with the run that it starts from; None, and what to do, where there is none."""
    if config.preset != "gan-from-vae":
        return config
    names = sorted_names([one.name for one in overviews(place) if _has_decoder(one)])
    if not names:
        st.info(say("studio.train.no_decoder"), icon=":material/info:")
        return None
    first = next((name for name in names if name == asked(FROM)), names[0])
    if st.session_state.get("train:from") not in names or st.session_state.get("train:from:asked") != asked(FROM):
        st.session_state["train:from"] = first
    name = first
    if shown(FROM):
        name = st.selectbox(say("studio.train.from"), names, key="train:from", help=say("help.train.generator_from"))
    if name != first:
        put({FROM: name})
    st.session_state["train:from:asked"] = asked(FROM)
    other = place.open(name).config()
    taken = {f"model.{leaf}": getattr(other.model, leaf) for leaf in DECODER_FORM}
    return config.replace(**taken, **{"data": other.data, "train.generator_from": str(place.path(name))})


def _has_decoder(seen: Overview) -> bool:
    return seen.trained and seen.config is not None and seen.config.family != "gan"


def _with_data(place: Place, config: Config) -> Config:
    """The images that are chosen. A GAN from a decoder has those of its decoder's run."""
    if config.preset == "gan-from-vae":
        st.caption(say("studio.train.from_data", data=plain(sources.choice_of(config.data.spec, place.data_root))))
        return config
    names = sources.choices(place.data_root)
    first = asked(DATA) if asked(DATA) in names else names[0]
    if shown(DATA):
        if st.session_state.get("train:data") not in names or st.session_state.get("train:data:asked") != asked(DATA):
            st.session_state["train:data"] = first
        chosen = st.selectbox(
            say("studio.train.data"), names, key="train:data", format_func=_data_label, help=say("studio.train.data.help")
        )
        if chosen != first:
            put({DATA: chosen if chosen != names[0] else None})
        first = chosen
        st.session_state["train:data:asked"] = asked(DATA)
    changed = {"data.spec": sources.spec_of(str(first), place.data_root)}
    return config.replace(**changed, **({"data.root": place.data_root} if place.data_root else {}))


def _data_label(choice: str) -> str:
    if choice.startswith(sources.FOLDER):
        return say("studio.train.folder", name=choice.removeprefix(sources.FOLDER))
    return say(f"studio.data.{choice}")


def _preview(config: DataConfig) -> sources.Preview | None:
    """Some real images; None, and why, where there are none yet."""
    choice = config.spec
    if not sources.at_hand(choice, config.root):
        st.info(say("studio.train.download", megabytes=number(sources.download_bytes(choice) / 1e6, lang(), 0)), icon=":material/download:")
        return None
    try:
        seen = sources.preview(config)
    except LabError as error:
        st.error(plain(str(error)), icon=":material/error:")
        return None
    height, width, channels = seen.shape
    kind = say("page.grey" if channels == 1 else "page.color")
    st.image(
        _strip(seen.images),
        alt=say("studio.train.preview.alt", n=number(len(seen.images), lang())),
        caption=say("studio.train.preview", n=number(seen.count, lang()), height=height, width=width, kind=kind),
        width="stretch",
        output_format="PNG",
    )
    if seen.odd:
        st.warning(say("studio.train.odd", n=seen.odd), icon=":material/warning:")
    return seen


def _strip(images: Images) -> Images:
    """Images in rows, each enlarged by whole pixels."""
    import numpy as np

    from latentlab.base.images import grid

    scale = max(1, 84 // images.shape[1])
    enlarged = images.repeat(scale, 1).repeat(scale, 2)
    sheet = np.asarray(grid(enlarged, PER_ROW, gap=4))
    return sheet[..., 0] if sheet.shape[-1] == 1 else sheet


def _forget_widgets(chosen: str, config: Config) -> None:
    """When the address was changed from outside (a link, Back), the widgets take their values from it again."""
    written = _written(config)
    if st.session_state.get("train:written") != written:
        for key in [key for key in st.session_state if str(key).startswith(f"train:{chosen}:")]:
            del st.session_state[key]
        st.session_state["train:written"] = written


def _written(config: Config) -> tuple[str, ...]:
    return (config.preset, config.data.spec, *(f"{name}={value}" for name, value in to_address(config).items() if value is not None))


def to_address_of(config: Config, usual: Config) -> dict[str, str | None]:
    """The parameters of a configuration: what is neither the preset's nor its decoder's."""
    base = to_address(usual)
    return {name: value if value != base[name] else None for name, value in to_address(config).items()}


def _networks(config: Config, shape: tuple[int, int, int]) -> None:
    with st.expander(say("studio.train.networks"), icon=":material/account_tree:", expanded=True):
        try:
            st.html(drawing(config, shape))
        except LabError as error:
            st.error(plain(str(error)), icon=":material/error:")


def begin(place: Place, config: Config) -> None:
    """Start training in a process of its own, and show it."""
    name = place.new(config.preset, config.data.spec)
    words = ["train", config.preset, *arguments(config), "--out", str(place.path(name))]
    tasks.start(place, "train", name, words)
    st.query_params.from_dict(params(run=name))
    st.rerun()


def _share(config: Config) -> None:
    """The link that opens this form; for a teacher, without some of its controls."""
    if not shown("share"):
        return
    with st.popover(say("studio.train.share"), icon=":material/link:"):
        st.write(say("studio.train.share.how"))
        names = [PRESET, DATA, FROM, "advanced", "share", "controls", "live", "new", *(one.name for one in all_fields(config))]
        pages = [name for name in PAGES if name != "train"]
        chosen = st.multiselect(say("studio.train.hide"), [*names, *pages], key="train:hide", format_func=_control)
        kept = {name: value for name, value in st.query_params.to_dict().items() if name != HIDE}
        st.code(link(str(st.context.url or "/"), {**kept, KEY: lang()}, [*sorted(hidden()), *chosen]), language=None, wrap_lines=True)


def link(page: str, parameters: dict[str, str], hide: list[str]) -> str:
    """An address with these parameters and these controls hidden."""
    from urllib.parse import urlencode

    values = {**parameters, **({HIDE: ",".join(dict.fromkeys(hide))} if hide else {})}
    return page.partition("?")[0] + ("?" + urlencode(values, safe=",:/") if values else "")


def _control(name: str) -> str:
    if name in PAGES:
        return say("studio.train.control.page", name=say(f"studio.page.{name}"))
    return say(f"studio.train.control.{name}") if "." not in name else name
