from __future__ import annotations

import json
import re
import subprocess
import sys
from base64 import b64decode
from html.parser import HTMLParser
from typing import Any

import pytest
from fakeruns import coarse_figures, fake_lab, fake_run
from handins import bare_card

from latentlab.base.texts import catalogue
from latentlab.measure.compare import comparison
from latentlab.show.answers import Answers, Part
from latentlab.show.card import NAMES
from latentlab.show.figures.comparison import write_comparison
from latentlab.show.report import write_page
from latentlab.show.report.context import Context, Score, difference
from latentlab.show.report.markup import Shared
from latentlab.show.report.scoreboard import train_command


@pytest.fixture(autouse=True, scope="module")
def _coarse_figures():
    with coarse_figures():
        yield


class Page(HTMLParser):
    """What a page is made of."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words, self.prose, self.open, self.unclosed = "", "", [], []  # prose: words that are no code
        self.shared: dict[str, Any] = {}
        self.feed(text)

    @property
    def frames(self) -> dict[str, list[str | None]]:
        """The pictures of each run's film, the same in each language."""
        (stored,) = {figure["data-frames"] for figure in self.all("figure") if "data-frames" in figure}
        return self.shared[stored]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in ("img", "input", "meta", "br"):
            self.open.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        top, _ = self.open.pop()
        if top != tag:
            self.unclosed.append((top, tag))

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == ("script", {"type": "application/json", "id": "shared"}):
            self.shared = json.loads(data)
        elif not self.open or self.open[-1][0] not in ("script", "style"):
            self.words += data
            self.prose += "" if any(tag == "pre" for tag, _ in self.open) else data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def page_of(tmp_path, lang: str, *names: str, **options: Any) -> tuple[Page, str]:
    runs, compared = fake_lab(tmp_path, *names, **options)
    cards = {"kl": bare_card("kl")}
    text = write_page(tmp_path / "lab.html", runs, compared, lang, cards=cards).read_text(encoding="utf-8")
    return Page(text), text


def test_questions_are_those_that_were_run_or_answered(tmp_path):
    """And where there are none, no section is numbered for them."""
    runs, compared = fake_lab(tmp_path, "vae", drawn="en", epochs=1)

    def sections(**options: Any) -> tuple[list[str], list[str]]:
        page = Page(write_page(tmp_path / "lab.html", runs, compared, "en", **options).read_text(encoding="utf-8"))
        asked = [name for name in NAMES if catalogue("en")[f"question.{name}.ask"] in page.words]
        return asked, [section["id"] for section in page.all("section") if section.get("id") == "questions"]

    answers = Answers("Ada", "", {"latent-dim": Part(None, "My own words.")})
    assert sections() == ([], [])
    assert sections(cards={"kl": bare_card("kl")}) == (["kl"], ["questions"])
    assert sections(cards={"kl": bare_card("kl")}, answers=answers) == (["kl", "latent-dim"], ["questions"])


def test_what_is_handed_in_holds_no_model_answer_unless_it_is_asked_for(tmp_path):
    runs, compared = fake_lab(tmp_path, "vae")
    mine = Answers("Ada", "", {"kl": Part(None, "My own words.")})
    told = re.compile(r"question\.[\w-]+\.(answer|analogy|formula)")
    texts = [words for lang in ("en", "fr") for key, words in catalogue(lang).items() if told.match(key)]
    cases: dict[str, dict[str, Any]] = {
        "plain": {}, "handed": {"answers": mine}, "both": {"answers": mine, "model_answers": True}, "none": {"model_answers": False},
    }  # fmt: skip
    held = {}
    for name, options in cases.items():
        options["cards"] = {name: bare_card(name) for name in NAMES}
        page = Page(write_page(tmp_path / f"{name}.html", runs, compared, "en", **options).read_text(encoding="utf-8"))
        held[name] = sum(words in page.words for words in texts)
        assert ("My own words." in page.words) == ("answers" in options)
        assert catalogue("en")["question.kl.experiment.1"] in page.words
    assert held == {"plain": len(texts), "handed": 0, "both": len(texts), "none": 0}


@pytest.fixture(scope="module", params=["en", "fr"])
def whole(request, tmp_path_factory):
    return request.param, *page_of(tmp_path_factory.mktemp(request.param), request.param)


def test_the_page_is_whole(whole):
    lang, page, _ = whole
    assert page.all("html")[0]["lang"] == lang
    assert page.unclosed == []
    assert [script for script in page.all("script") if "src" in script] == []
    sections = [s["id"] for s in page.all("section") if "id" in s]
    other = "fr" if lang == "en" else "en"
    assert set(sections) >= {"comparison", "explorer", "samples", "reconstructions", "losses", "families", "questions", "settings"}
    assert len(set(sections)) == len(sections)
    assert {name for name in sections if not name.startswith(f"{other}-")} == {name.removeprefix(f"{other}-") for name in sections}
    assert {a["href"] for a in page.all("a") if "download" not in a} == {"#" + name for name in sections}
    for key in ("section.families", "losses.kl.intro", "losses.compared", "page.short", "background.glossary"):
        assert catalogue(lang)[key] in page.words
        assert catalogue(other)[key] in page.words
    assert [(main["lang"], "hidden" in main) for main in page.all("main")] == [(lang, False), (other, True)]


def test_it_asks_nobody_for_anything(whole):
    _, page, text = whole
    for _, attributes in page.elements:
        for name in ("src", "href", "srcset", "action", "poster"):
            assert not re.match(r"\s*(https?:|//|file:)", attributes.get(name) or ""), attributes
    assert not re.search(r"@import|url\((?!#)", text)  # what begins with # is a part of the page itself
    held = {image["data-picture"] for image in page.all("img") if (image.get("src") or "").startswith("data:image/")}
    assert all("src" in image or image["data-shared"] in held for image in page.all("img"))
    sources = [image["src"] for image in page.all("img") if "src" in image]
    assert len(set(sources)) == len(sources) <= len(page.all("img")) / 2  # stored once, shown in both languages
    policy = next(m["content"] for m in page.all("meta") if m.get("http-equiv") == "Content-Security-Policy")
    assert "default-src 'none'" in (policy or "")


def test_every_image_says_what_is_seen(whole):
    _, page, _ = whole
    images = page.all("img")
    assert len(images) >= 2 * (4 + 6)
    assert all(len(image.get("alt") or "") > 20 for image in images)
    assert len({image["alt"] for image in images}) == len(images)


def test_no_grid_is_lost(whole):
    _, page, text = whole
    films = [json.loads(words) for words in re.findall(r'<script type="application/json" class="words">(.*?)</script>', text)]
    assert [[run["steps"] for run in film["runs"]] for film in films] == [[[0, 1, 10, 20, 30, 40]] * 4] * 2
    assert [list(page.frames) for _ in films] == [[run["name"] for run in film["runs"]] for film in films]
    for pictures in page.frames.values():
        assert len(pictures) == 6
        assert all(picture.startswith("data:image/avif") for picture in pictures[:-1])
        assert pictures[-1] is None  # it stands in the page


def test_sentences_hold_the_numbers_of_the_runs(whole):
    lang, page, _ = whole
    mark = "." if lang == "en" else ","
    assert f"0{mark}00500\u00a0±\u00a00{mark}00040" in page.words
    assert f"87{mark}3" in page.words
    assert catalogue(lang)["measure.grey"] in page.words
    assert catalogue(lang)["family.ae.copies.here.lower"].partition(":")[0] in page.words
    assert "{" not in page.prose


def test_what_failed_leads_and_noise_is_not_praised(tmp_path):
    """Samples that are all alike: what went wrong leads, in five sentences; neither edges nor precision nor a rank speak for them."""
    runs, compared = fake_lab(tmp_path, "vae", "gan", drawn="en", epochs=1)
    where = [{"step": 20 * i, "epoch": float(i), "images_seen": 640 * i, "seconds": float(i), "split": "val"} for i in range(9)]
    rows = [at | {"pair_distance": 0.0, "real_pair_distance": 0.3, "recall": 0.0} for at in where]
    for name, told in (("vae", where), ("gan", rows)):
        (runs[name].path / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in told), encoding="utf-8")
    for name, recall, precision, kid in (("vae", 0.4, 0.6, 0.01), ("gan", 0.0, 1.0, 0.2)):
        scores = {"recall": recall, "precision": precision, "kid": kid}
        compared["runs"][name]["scores"] |= {score: {"value": value, "unit": "share"} for score, value in scores.items()}
    compared["groups"] = {"gan": {"runs": ["gan"], "best": ["precision", "kid"]}}
    text = write_page(tmp_path / "lab.html", runs, compared, "en").read_text(encoding="utf-8")
    short = Page(text[text.index('class="short"') - 9 : text.index("<nav")]).words
    leads, shares = "What went wrong: GAN (Mode collapse, since step 0)", "VAE 40\u00a0% and GAN 0\u00a0%"
    told = (leads, "kernel distance (KID), nearest first: VAE 0.0100.", shares, "One seed each")
    said = [short.index(words) for words in told]
    assert said == sorted(said)
    assert "reconstructs" not in short
    assert text[text.index('class="short"') : text.index("<nav")].count("<li>") == 5
    scores = text[text.index('data-section="comparison"') :]
    scores = scores[: scores.index("</table>")]
    table = Page(scores).words
    assert table.index("Recall") < table.index("Precision")
    assert scores.count(catalogue("en")["measure.best"]) == 1  # KID's: not precision's
    (runs["gan"].path / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in where), encoding="utf-8")
    short = write_page(tmp_path / "lab.html", runs, compared, "en").read_text(encoding="utf-8")
    assert "GAN (samples that cover less than 20\u00a0% of the held-out images)" in short
    compared["runs"]["gan"]["scores"]["recall"]["value"] = 0.4
    (runs["gan"].path / "status.json").write_text(json.dumps({"state": "failed", "step": 40, "message": "memory"}), encoding="utf-8")
    short = write_page(tmp_path / "lab.html", runs, compared, "en").read_text(encoding="utf-8")
    assert "GAN (its training failed)" in short
    assert catalogue("en")["summary.sick.says"] not in short
    (runs["gan"].path / "status.json").unlink()
    short = write_page(tmp_path / "lab.html", runs, compared, "en").read_text(encoding="utf-8")
    assert "Nothing went wrong in 2 runs" in short
    assert "VAE 0.0100 and GAN 0.200" in short


def test_what_a_number_rests_on_stands_beside_it(tmp_path):
    """How an NLL was sampled and how far its tail is to be trusted; the interval of what real images reach."""
    runs, compared = fake_lab(tmp_path, "vae", drawn="en", epochs=1)
    scores = compared["runs"]["vae"]["scores"]
    scores["kid"] = {"value": 154.0, "ci95": [140.0, 168.0], "floor": -10.3, "floor_ci95": [-31.5, 11.8], "unit": "", "n": 640}
    tail = {"mean": 0.4, "most": 1.3, "threshold": 0.7, "above": 0.125}
    scores["nll_nats"] |= {"effective_samples": {"mean": 7.8, "least": 1.06}, "pareto_k": tail}
    words = Page(write_page(tmp_path / "lab.html", runs, compared, "en").read_text(encoding="utf-8")).words
    assert "real images: −10.3 (−31.5 to 11.8)" in words
    assert "k = 500 importance samples" in words
    assert "effective 7.8 on average, 1.1 at least" in words
    assert re.search(r"Pareto k > 0\.7\) for 12(\.5)?\s?% of images", words)


def test_a_claim_that_the_numbers_contradict_is_told_so(tmp_path):
    runs, compared = fake_lab(tmp_path, "ae", "vae", drawn="en", epochs=1)
    compared["runs"]["ae"]["scores"]["reconstruction_mse"]["value"] = 0.02
    words = Page(write_page(tmp_path / "lab.html", runs, compared, "en").read_text(encoding="utf-8")).words
    assert "These runs contradict the claim." in words
    compared["runs"]["ae"]["scores"]["reconstruction_mse"]["value"] = 0.0111
    words = Page(write_page(tmp_path / "lab.html", runs, compared, "en").read_text(encoding="utf-8")).words
    assert "is within two standard errors" in words


@pytest.mark.parametrize(("ae", "said"), [(60.0, "are further from real"), (20.0, "are nearer to real"), (40.5, "no difference from")])
def test_an_autoencoder_is_compared_with_a_vae_of_the_same_kind_of_prior(tmp_path, ae, said):
    """Both by samples from a Gaussian fitted to their codes: a VAE that is drawn from N(0, I) had nothing fitted to it."""
    runs, compared = fake_lab(tmp_path, "ae", "vae", drawn="en", epochs=1)
    for name, value in (("ae", ae), ("vae", 40.0)):
        drawn = {"kid": value, "kid_fitted": value} if name == "ae" else {"kid": 90.0, "kid_fitted": value}
        common = {"stderr": 1.0, "unit": "", "n": 640, "extractor": "classifier"}
        compared["runs"][name]["scores"] |= {score: {"value": number} | common for score, number in drawn.items()}
    words = Page(write_page(tmp_path / "lab.html", runs, compared, "en").read_text(encoding="utf-8")).words
    assert said in words
    assert f"KID {ae:.1f}" in words
    assert "against 40.0" in words


@pytest.mark.parametrize("names", [("ae",), ("gan",), ("gan-from-vae",), ("ae", "gan"), ("vae", "gan-from-vae")], ids="+".join)
def test_any_runs_make_a_page(tmp_path, names):
    page, _ = page_of(tmp_path, "en", *names, drawn="en", epochs=1)
    assert page.unclosed == []
    assert len(page.frames) == len(names)


def test_a_hand_in_says_nothing_of_where_files_lie(tmp_path, monkeypatch):
    """Runs of a folder of pictures in somebody's home, which is not the folder that the report is written from."""
    home = tmp_path / "home" / "ada-lovelace"
    runs, _ = fake_lab(home / "runs", "vae", "gan", "gan-from-vae")
    for name, folder in runs.items():
        origin = {"train.generator_from": str(home / "runs" / "vae")} if name == "gan-from-vae" else {}
        config = folder.config().replace(**{"data.spec": f"folder:{home}/pics", "data.root": str(home / "data")}, **origin)
        (folder.path / "config.json").write_text(config.to_json(), encoding="utf-8")
        scores = folder.scores() | {"data": config.data.spec}
        (folder.path / "scores.json").write_text(json.dumps(scores), encoding="utf-8")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    compared = write_comparison(tmp_path / "out", runs)
    page = write_page(tmp_path / "r.html", runs, compared, "en").read_text(encoding="utf-8")
    configs = [b64decode(link.partition("base64,")[2]).decode() for link in re.findall(r'href="(data:application/json[^"]+)"', page)]
    assert len(configs) == 2 * len(runs)  # in each language
    written = [(tmp_path / "out" / f"comparison.{end}").read_text(encoding="utf-8") for end in ("json", "md")]
    for text in (page, *configs, *written):
        assert "lovelace" not in text
        assert str(tmp_path) not in text
    assert "--data.spec folder:pics" in re.sub(r"<[^>]+>", "", page)
    assert all('"spec": "folder:pics"' in config for config in configs)
    assert page.count("folder:pics") > 10


def test_a_run_without_scores_or_records_makes_a_page(tmp_path):
    folder = fake_run(tmp_path / "vae", "vae", epochs=0)
    for name in ("metrics.jsonl", "scores.json", "latents.npz"):
        (folder.path / name).unlink()
    folder.metrics_file.write_text("")
    text = write_page(tmp_path / "lab.html", {"vae": folder}, comparison({"vae": folder}), "fr").read_text(encoding="utf-8")
    page = Page(text)
    assert page.unclosed == []
    assert "conv-vae" in page.words


def test_hostile_names_are_shown_and_not_obeyed(tmp_path):
    bad = "<script>alert(1)</script>\"'&"
    runs, _ = fake_lab(tmp_path, "vae", drawn="en", names=[bad, *"123456789"])
    runs = {bad: runs["vae"]}
    compared = comparison(runs) | {"data": bad}
    text = write_page(tmp_path / "lab.html", runs, compared, "en").read_text(encoding="utf-8")
    page = Page(text)
    assert "<script>alert" not in text
    assert [s.get("type") for s in page.all("script") if s.get("type") != "application/json"] == ["module"]  # one that runs, ours
    assert page.words.count(bad) > 3
    assert page.unclosed == []


def test_the_command_names_what_differs_from_the_preset(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    source = tmp_path / "lab" / "vae"
    folder = fake_run(
        tmp_path / "lab" / "gan-from-vae",
        "gan-from-vae",
        **{"train.generator_from": str(source), "model.hidden": (64, 32), "train.seed": 7},
    )
    c = Context({"gan-from-vae": folder}, {}, "en", Shared())
    command = train_command(c, folder.config(), "gan-from-vae")
    assert command is not None
    assert " ".join(command) == (
        "latentlab train gan-from-vae --model.hidden 64,32 --train.seed 7 --train.generator_from lab/vae --out lab/gan-from-vae"
    )


def test_verdicts_and_errors():
    assert difference(Score(1.0, 0.1), Score(2.0, 0.1)) == "lower"
    assert difference(Score(2.0, None), Score(1.0, None)) == "higher"
    assert difference(Score(1.0, 0.4), Score(2.0, 0.4)) == "unclear"


def test_the_page_needs_no_torch(tmp_path):
    fake_lab(tmp_path, "ae", drawn="en")
    code = f"""
import sys
from pathlib import Path
from latentlab.runs.folder import RunFolder
from latentlab.measure.compare import comparison
from latentlab.show.report import write_page
runs = {{"ae": RunFolder(Path({str(tmp_path / "ae")!r}))}}
write_page(Path({str(tmp_path / "lab.html")!r}), runs, comparison(runs), "en")
assert "torch" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)
