"""The page Runs: the list, what can be done with a run, the trash, the report and the answers that go into it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from commands import wait_until
from fakeruns import fake_run

pytest.importorskip("streamlit")

from apppages import opened as page_opened
from apppages import rows, whole
from streamlit.testing.v1 import AppTest

from latentlab.base.errors import LabError
from latentlab.base.texts import text
from latentlab.runs.folder import RunFolder
from latentlab.show.answers import Part, parsed, read_answers
from latentlab.studio import actions, listing, overview, tasks
from latentlab.studio import answers as answers_book
from latentlab.studio.actions import report_file as target
from latentlab.studio.actions import report_words as arguments
from latentlab.studio.answers import Changed, Entry
from latentlab.studio.library import Library
from latentlab.studio.listing import Listed, listed, matching
from latentlab.studio.overview import last_row
from latentlab.studio.views.runs import as_shown, first_choice

HOSTILE = ("**bold** [x](javascript:y)", ":red[x]", "$x^2$ `a`", "a & b 'c' _d_")


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Library:
    """Three runs of our own and one of a question's, changed one minute after the other."""
    runs = tmp_path / "runs"
    for minute, (name, kind) in enumerate({"lab/vae": "vae", "lab/gan": "gan", "questions/kl/beta-1": "vae", "été": "ae"}.items()):
        changed(fake_run(runs / name, kind, epochs=1), minute)
    monkeypatch.setenv("LATENTLAB_STUDIO_RUNS", str(runs))
    listing._kept.clear()
    return Library(runs)


def changed(folder: RunFolder, minute: int, **status: Any) -> None:
    file = folder.path / "status.json"
    file.write_text(json.dumps({"state": "finished", "step": 10, "pid": 1, "message": "", "diagnosis": []} | status), encoding="utf-8")
    os.utime(file, (1.7e9 + 60 * minute,) * 2)


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str, list[str]]]:
    """What the page would have started."""
    found: list[tuple[str, str, list[str]]] = []

    def start(place: Library, kind: str, subject: str, arguments: list[str]) -> None:
        found.append((kind, subject, list(arguments)))

    monkeypatch.setattr(tasks, "start", start)
    return found


def opened(**address: str) -> AppTest:
    return page_opened("runs", **address)


def texts(at: AppTest) -> str:
    return "\n".join([rows(at), *(str(each.value) for kind in (at.markdown, at.caption, at.error, at.info, at.warning) for each in kind)])


def open_menu(at: AppTest, name: str) -> AppTest:
    at.session_state[f"runs-more-{name}"] = True
    return whole(at.run())


def menus(at: AppTest) -> list[str]:
    """The identities of the menus of the runs that are shown, which end in a run's name."""
    return [str(each.proto.popover.id) for each in at.get("popover")]


def names(found: list[Listed]) -> list[str]:
    return [each.name for each in found]


# The list.


def test_the_newest_run_comes_first_and_one_that_trains_before_all(place):
    assert names(listed(place)) == ["été", "questions/kl/beta-1", "lab/gan", "lab/vae"]
    changed(RunFolder(place.runs / "lab" / "vae"), 0, state="running")
    with RunFolder(place.runs / "lab" / "vae").locked():
        assert names(listed(place))[0] == "lab/vae"
        assert listed(place)[0].busy
    assert names(listed(place))[0] == "été"  # without a change of any file: its process is gone


def test_a_run_is_read_again_only_when_it_changed(place, monkeypatch):
    before = listed(place)
    monkeypatch.setattr(listing, "overview", lambda place, name: pytest.fail(f"{name} was read again"))
    assert listed(place) == before
    monkeypatch.undo()
    changed(RunFolder(place.runs / "lab" / "gan"), 5, state="stopped")
    assert {each.name: each.run.state for each in listed(Library(place.runs))}["lab/gan"] == "stopped"


@pytest.mark.parametrize(
    ("search", "questions", "found"),
    [
        ("", False, {"été", "lab/gan", "lab/vae"}),
        ("", True, {"été", "lab/gan", "lab/vae", "questions/kl/beta-1"}),
        ("ETE", False, {"été"}),
        ("lab VAE", False, {"lab/vae"}),
        ("sn-gan", False, {"lab/gan"}),
        ("terminé digits conv-ae", False, {"été"}),
        ("finished", False, {"été", "lab/gan", "lab/vae"}),
        ("conv-vae", False, {"lab/vae"}),
        ("kl", False, {"questions/kl/beta-1"}),
        ("quest", False, {"questions/kl/beta-1"}),
        ("questions/kl/b", False, {"questions/kl/beta-1"}),
        ("beta", False, set()),
        ("lab nothing", True, set()),
    ],
)
def test_a_search_finds_any_word_and_questions_where_they_are_named(place, search, questions, found):
    shown, folded = matching(listed(place), search, questions, {"finished": "terminé"})
    assert set(names(shown)) == found
    assert folded == (0 if questions or "questions/kl/beta-1" in found else int(search in ("", "finished", "conv-vae", "beta")))


def test_the_last_number_on_held_out_images_is_found_from_the_end(tmp_path, monkeypatch):
    monkeypatch.setattr(overview, "_BLOCK", 64)
    folder = RunFolder(tmp_path)
    assert last_row(folder, held_out=True) == {}
    place = {"epoch": 1.0, "images_seen": 64, "seconds": 0.5}
    rows = [place | {"split": "val", "loss_nats": 3.0, "step": 1}, place | {"split": "val", "loss_nats": 2.0, "step": 2}]
    rows += [place | {"split": "val", "request": {"action": "pause"}, "step": 3}]
    rows += [place | {"split": "train", "step": step, "loss_nats": 1.0} for step in range(20)]
    whole = "".join(json.dumps(row) + "\n" for row in rows)
    folder.metrics_file.write_text(whole + '{"split": "val", "loss_nats": 9', encoding="utf-8")
    assert last_row(folder, held_out=True) == rows[1]
    folder.metrics_file.write_text(whole + json.dumps(rows[0]), encoding="utf-8")  # whole, but for its line end
    assert last_row(folder, held_out=True) == rows[1]
    folder.metrics_file.write_text(json.dumps(rows[0]) + "\n", encoding="utf-8")
    assert last_row(folder, held_out=True) == rows[0]
    folder.metrics_file.write_text(json.dumps(rows[0]), encoding="utf-8")
    assert last_row(folder, held_out=True) == {}


def test_what_a_run_is_and_how_it_stands_is_said_in_the_readers_language(place):
    alarm = [{"key": "mode_collapse", "since_step": 3, "evidence": {}}]
    alarm.append({"key": "dead_units", "since_step": 1, "evidence": {}, "until_step": 2})
    changed(RunFolder(place.runs / "lab" / "gan"), 9, state="failed", message="No *memory*", diagnosis=alarm)
    english, french = texts(opened()), texts(opened(lang="fr"))
    assert "conv-vae · digits · latent 32" in english
    assert text("studio.state.finished", "en") in english
    assert "loss 300 nats held-out images, while it trained" in english
    assert "perte 300 nats images mises de côté, à l’entraînement" in french
    assert "Mode collapse" in english
    assert "Dead" not in english
    assert "No *memory*" in english
    assert text("studio.state.failed", "fr") in french
    assert "squared error 0.00500 evaluated at step 40" in english


def test_names_from_elsewhere_are_shown_as_text(place):
    for name in HOSTILE:
        (place.runs / name).mkdir()
        (place.runs / name / "config.json").write_text("{}", encoding="utf-8")
    said = texts(opened())
    for name in ("\\*\\*bold\\*\\* \\[x\\]\\(javascript\\:y\\)", "\\:red\\[x\\]", "\\$x^2\\$ \\`a\\`", "a \\& b \\'c\\' \\_d\\_"):
        assert f"**{name}**" in said
    assert "rename the folder" in said


def test_two_hundred_runs_stand_on_pages_of_twenty(place, monkeypatch):
    first = listed(place)[0]
    many = [Listed(type(first.run)(f"run-{at:03d}", *list(vars(first.run).values())[1:])) for at in range(200)]
    monkeypatch.setattr("latentlab.studio.views.runs.listed", lambda place: many)
    at = opened()
    assert len(menus(at)) == 20
    at.session_state["runs-page-10-0--date-"] = 10
    assert "run-199" in menus(whole(at.run()))[-1]
    assert len(menus(at)) == 20
    at.text_input(key="runs-search").set_value("run-0")
    whole(at.run())
    assert "run-000" in menus(at)[0]  # the first page of five
    assert len(menus(at)) == 20
    assert at.query_params["search"] == "run-0"


# Names and the trash.


@pytest.mark.parametrize("new", ["../out", "a/b", "..", ".x", "C:\\x", "<script>alert(1)</script>", "con", "", "gan"])
def test_a_name_that_is_none_is_refused_in_one_line(place, new):
    at = open_menu(opened(), "lab/vae")
    at.text_input(key="runs-name-lab/vae").set_value(new)
    at.button(key="FormSubmitter:runs-rename-form-lab/vae-Rename").click()
    whole(at.run())
    [error] = at.error
    assert ("taken" if new == "gan" else "A name has 1 to 80 characters") in error.value
    assert "\n" not in error.value
    assert set(place.names()) == {"été", "questions/kl/beta-1", "lab/gan", "lab/vae"}
    assert sorted(path.name for path in place.runs.parent.iterdir()) == ["runs"]


def test_a_run_is_renamed_where_it_stands(place):
    at = open_menu(opened(), "lab/vae")
    at.text_input(key="runs-name-lab/vae").set_value("**mine**".replace("*", "!"))
    at.button(key="FormSubmitter:runs-rename-form-lab/vae-Rename").click()
    at = whole(at.run())
    assert "lab/!!mine!!" in place.names()
    assert r"lab/vae is now called lab/\!\!mine\!\!" in texts(at)


def test_a_deleted_run_comes_back_by_undo_and_from_the_trash(place):
    at = open_menu(opened(), "lab/vae")
    whole(at.button(key="runs-discard-lab/vae").click().run())
    assert "lab/vae" not in place.names()
    assert "lab/vae is in the trash" in texts(at)
    whole(at.button(key="runs-undo").click().run())
    assert "lab/vae" in place.names()

    actions.discard(place, "lab/vae")
    fake_run(place.runs / "lab" / "vae", "vae", epochs=1)
    at = opened(view="trash")
    [restore] = [button for button in at.button if button.label == "Restore"]
    whole(restore.click().run())
    assert "Another run has this name" in at.error[0].value
    actions.rename(place, "lab/vae", "other")
    [restore] = [button for button in at.button if button.label == "Restore"]
    whole(restore.click().run())
    assert {"lab/vae", "lab/other"} <= set(place.names())
    assert "The trash is empty" in at.info[0].value


def test_a_damaged_run_goes_into_the_trash(place):
    (place.runs / "lab" / "vae" / "config.json").write_text("{")
    at = open_menu(opened(), "lab/vae")
    whole(at.button(key="runs-discard-lab/vae").click().run())
    assert "lab/vae" not in place.names()
    assert place.discarded()[0][1] == "lab/vae"


def test_a_run_that_failed_before_it_began_is_removed(place):
    name = place.new("mlp-vae", "digits")
    task = tasks.start(place, "train", name, ["train", "mlp-vae", "--out", str(place.path(name)), "--data", "nowhere"])
    wait_until(lambda: tasks.read(task.path).state != "running")
    at = open_menu(opened(), name)
    assert "nowhere" in texts(at)
    assert not [field for field in at.text_input if field.key == f"runs-name-{name}"], "there is nothing to rename"
    whole(at.button(key=f"runs-discard-{name}").click().run())
    assert not place.path(name).exists()
    assert f"{name} is removed: it had not begun." in texts(at).replace("\\", "")
    assert name not in names(listed(place))
    with pytest.raises(LabError, match="the name of a run"):
        actions.discard(place, name)
    assert "trash" not in texts(at)


def test_a_run_that_trains_is_neither_moved_nor_trained_twice(place, started):
    at = open_menu(opened(), "lab/vae")
    changed(RunFolder(place.runs / "lab" / "vae"), 0, state="running")
    with RunFolder(place.runs / "lab" / "vae").locked():
        whole(at.button(key="runs-discard-lab/vae").click().run())
        assert "This run trains" in at.error[0].value.replace("\\", "")
        assert "lab/vae" in place.names()
        at.button(key="runs-stop-lab/vae").click()
        whole(at.run())
    assert [each["action"] for each in RunFolder(place.runs / "lab" / "vae").requests()] == ["stop"]
    assert started == []


# What is started.


def test_a_run_goes_on_to_a_new_total(place, started):
    changed(RunFolder(place.runs / "lab" / "vae"), 0, state="stopped")
    at = opened()
    whole(at.button(key="runs-go-on-lab/vae").click().run())
    path = str(place.runs / "lab" / "vae")
    usual = f"{RunFolder(place.runs / 'lab' / 'vae').config().train.epochs:g}"
    assert started.pop() == ("resume", "lab/vae", ["resume", path, "--epochs", usual])
    at = open_menu(at, "lab/vae")
    at.number_input(key="runs-total-lab/vae-stopped").set_value(7.5)
    at.button(key="FormSubmitter:runs-longer-lab/vae-Go on").click()
    whole(at.run())
    assert started == [("resume", "lab/vae", ["resume", path, "--epochs", "7.5"])]


def test_a_run_is_measured_and_its_files_are_checked(place, started):
    at = open_menu(opened(), "lab/vae")
    whole(at.button(key="runs-verify-lab/vae").click().run())
    assert "Damaged files" in at.error[0].value  # a fake run has no checkpoint
    whole(at.button(key="runs-evaluate-lab/vae").click().run())
    assert started == [("evaluate", "lab/vae", ["evaluate", str(place.runs / "lab" / "vae")])]


def test_what_is_damaged_is_told_without_this_machines_folders_where_others_read(place, monkeypatch):
    path = RunFolder(place.runs / "lab" / "vae").metrics_file
    path.write_text(path.read_text(encoding="utf-8").replace('"step"', '"stop"', 1), encoding="utf-8")
    for is_shared in (False, True):
        if is_shared:
            monkeypatch.setenv("LATENTLAB_STUDIO_SHARED", "1")
        at = open_menu(opened(), "lab/vae")
        whole(at.button(key="runs-verify-lab/vae").click().run())
        said = "\n".join(one.value for one in at.code)
        assert "metrics.jsonl line 1 is damaged" in said
        assert (str(place.runs) in said) is not is_shared


def test_an_evaluation_that_failed_says_why(place):
    path = place.own / "tasks" / "1"
    path.mkdir(parents=True)
    task = {"kind": "evaluate", "subject": "lab/vae", "arguments": [], "started": 4e9, "status": 2}
    (path / "task.json").write_text(json.dumps(task), encoding="utf-8")
    (path / "log").write_text("latentlab: digits must be *there*.\n", encoding="utf-8")
    assert "Not evaluated: digits must be *there*." in texts(opened())


# The report and the answers.


def test_the_report_is_written_beside_the_runs_from_what_was_chosen(place, started):
    at = opened(view="report")
    assert at.multiselect(key="report-runs").value == ["lab/vae", "lab/gan"]
    at.text_input(key="report-name").set_value("Ada  Lovelace")
    at.text_area(key="report-text-kl").set_value("## It *falls*\n> so")
    whole(at.run())
    at.radio(key="report-prediction-kl").set_value("one")
    whole(at.run())
    whole(at.button(key="report-write").click().run())
    lab, sheet = place.runs / "lab", place.own / "answers.md"
    words = ["report", str(lab / "vae"), str(lab / "gan"), "--out", str(target(place)), "--lang", "en", "--weights", "int8"]
    assert started == [("report", "report", [*words, "--answers", str(sheet)])]
    found = read_answers(sheet)
    assert found.name == "Ada Lovelace"
    assert found.parts == {"kl": Part("one", "### It *falls*\n> so")}


def test_only_runs_of_this_folder_go_into_a_report(place):
    from latentlab.base.errors import LabError

    with pytest.raises(LabError, match="must be the name of a run"):
        arguments(place, ["../../etc"], "en", "int8")
    assert first_choice(["été", "lab/gan"], None) == ["lab/gan"]
    assert first_choice(["été", "lab/gan"], "été") == ["été"]
    assert first_choice(["b", "c"], "../x") == ["b"]
    assert as_shown(["x", "lab/gan", "lab/ae", "a"]) == ["lab/ae", "lab/gan", "a", "x"]


def test_an_entry_is_written_only_over_what_was_read(tmp_path):
    place, kl = Library(tmp_path), Entry("text", "kl")
    assert answers_book.put(place, kl, "mine ", "", "en") == "mine"
    assert answers_book.put(place, Entry("name"), "Ada", "", "fr") == "Ada"
    with pytest.raises(Changed) as caught:
        answers_book.put(place, kl, "yours", "", "en")
    assert caught.value.now == "mine"
    assert answers_book.put(place, kl, "mine", "", "en") == "mine"  # the same words are no conflict
    assert answers_book.put(place, kl, "", "mine", "en") == ""
    assert parsed(answers_book.file(place).read_text(encoding="utf-8")) == answers_book.NOBODY.__class__("Ada", "", {})


def test_two_tabs_agree_and_neither_overwrites_the_other(place):
    one, two = opened(view="report"), opened(view="report")
    one.text_area(key="report-text-kl").set_value("first")
    whole(one.run())
    assert whole(two.run()).text_area(key="report-text-kl").value == "first"
    two.text_area(key="report-text-kl").set_value("second")
    whole(two.run())
    one.text_area(key="report-text-kl").set_value("third")
    whole(one.run())
    assert "another tab wrote this" in one.warning[0].value
    assert [code.value for code in one.code if "second" in code.value] == ["second"]
    assert one.text_area(key="report-text-kl").value == "third"
    assert answers_book.read(place).parts["kl"].text == "second"
    whole(one.button(key="report-text-kl-keep").click().run())
    assert answers_book.read(place).parts["kl"].text == "third"
    assert not one.warning
    two.text_area(key="report-text-kl").set_value("fourth")
    whole(two.run())
    whole(two.button(key="report-text-kl-take").click().run())
    assert two.text_area(key="report-text-kl").value == "third"
    assert not two.warning
    assert opened(view="report").text_area(key="report-text-kl").value == "third"


def test_a_sheet_that_somebody_broke_is_left_as_it_is(place):
    place.own.mkdir()
    broken = "name: A\n## chess\nx"
    answers_book.file(place).write_text(broken, encoding="utf-8")
    at = opened(view="report")
    assert "must be a section named" in at.error[0].value
    assert not at.text_area
    assert answers_book.file(place).read_text(encoding="utf-8") == broken
