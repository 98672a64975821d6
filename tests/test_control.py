"""Asking things of a run while it trains: phases, slow motion, settings, and requests from many sides at once."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from latentlab.base.errors import Busy, LabError
from latentlab.base.files import lock
from latentlab.cli.train import Progress
from latentlab.runs.folder import KEPT_REQUESTS, RunFolder
from latentlab.train import requests as control
from latentlab.train.events import Logged, Paced, Phased, Pictured, Saved, Stepped, Warned
from latentlab.train.loop import events, numbers
from latentlab.train.requests import Requests, live_settings
from latentlab.train.start import create, reopen


@pytest.fixture
def gan(tiny, tmp_path: Path):
    """A GAN of six steps whose training has not begun."""
    return create(tiny("sn-gan", **{"train.steps": 6}), tmp_path / "run")


def ask(folder: RunFolder, *actions: str) -> None:
    for action in actions:
        folder.request(action)


def told(session, *kinds: type) -> list[tuple[object, dict]]:
    """The events of these kinds, each with the status.json that a watcher reads at that moment."""
    return [(event, session.folder.status()) for event in events(session) if isinstance(event, kinds)]


class TestHalfSteps:
    def test_a_watcher_sees_each_half_at_once(self, gan) -> None:
        ask(gan.folder, "pause", "phase", "phase", "phase", "step", "resume")
        found = told(gan, Phased)
        assert [(event.step, event.phase) for event, _ in found] == [
            (1, "discriminator"), (1, "generator"), (2, "discriminator"), (2, "generator"),
        ]  # fmt: skip
        seen = [(status["step"], status["phase"]) for _, status in found]
        assert seen == [(0, "discriminator"), (1, None), (1, "discriminator"), (2, None)]
        asked = [row["request"]["id"] for row in gan.folder.metrics() if "request" in row]
        assert [status["taken"] for _, status in found] == [asked[1], asked[2], asked[3], asked[4]]  # told when it has been done
        for event, status in found:
            assert (status["state"], status["mode"]) == ("paused", "paused")
            assert status["half"] == {"phase": event.phase, "step": event.step} | event.values
        judged, made = found[0][0].values, found[1][0].values
        assert judged.keys() == {"discriminator_loss", "real_logit", "fake_logit", "discriminator_gradient_norm", "after"}
        assert judged["after"].keys() == {"discriminator_loss", "real_logit", "fake_logit"}
        assert made.keys() == {"generator_loss", "gradient_norm", "after"}
        rows = {row["step"]: row for row in gan.folder.metrics() if row["split"] == "train" and "request" not in row}
        for event, _ in found:
            for name in event.values.keys() - {"after"}:
                assert rows[event.step][name] == event.values[name]

    def test_a_half_lowers_the_loss_of_its_own_batch(self, tiny, tmp_path: Path) -> None:
        session = create(tiny("mlp-ae", **{"train.steps": 4, "train.learning_rate": 1e-3}), tmp_path / "run")
        ask(session.folder, "pause", *["phase"] * 4)
        for event, _ in told(session, Phased):
            assert event.values["after"]["loss_nats"] < event.values["loss_nats"]

    def test_every_step_by_hand_leaves_a_line_and_pictures(self, gan) -> None:
        ask(gan.folder, "pause", "step", "step", "step", "phase", "phase", "resume")
        found = [event for event, _ in told(gan, Stepped, Logged, Pictured)]
        for step in (1, 2, 3, 4):
            assert [e.row["step"] for e in found if isinstance(e, Logged) and e.row["split"] == "train"].count(step) == 1
            assert (gan.folder.samples / f"step-{step:08d}.png").exists()
            assert sum(isinstance(e, Pictured) and e.step == step for e in found) == 1
        assert not (gan.folder.samples / "step-00000005.png").exists()

    def test_phases_are_not_taken_at_full_speed(self, gan) -> None:
        ask(gan.folder, "phase", "step", "phase")
        assert told(gan, Phased) == []
        assert gan.position.step == 6

    def test_whoever_stops_listening_in_the_middle_leaves_a_whole_step(self, gan) -> None:
        ask(gan.folder, "pause", "phase")
        for event in events(gan):
            if isinstance(event, Phased):
                break
        status = gan.folder.status()
        assert (status["state"], status["step"]) == ("stopped", 1)
        assert reopen(gan.folder.path).position.step == 1

    def test_a_status_at_the_end_tells_no_pace(self, gan) -> None:
        ask(gan.folder, "pause", "step", "stop")
        list(events(gan))
        assert gan.folder.status().keys() == {"state", "step", "pid", "message", "diagnosis"}


class TestSlowMotion:
    def test_it_goes_on_by_itself_and_tells_its_pace(self, gan, monkeypatch) -> None:
        monkeypatch.setattr(control, "SLOW_SECONDS", 0.0)
        ask(gan.folder, "slow")
        found = told(gan, Phased, Paced)
        assert found[0][0] == Paced("slow", 0)
        assert {(status["state"], status["mode"]) for _, status in found} == {("running", "slow")}
        halves = [(event.step, event.phase) for event, _ in found[1:]]
        assert halves == [(step, phase) for step in range(1, 7) for phase in ("discriminator", "generator")]
        assert len(gan.folder.pictures("samples")) == 7

    def test_pause_holds_it_in_the_middle_of_a_step_and_resume_ends_it(self, gan, monkeypatch) -> None:
        monkeypatch.setattr(control, "SLOW_SECONDS", 0.0)
        ask(gan.folder, "slow")
        seen = []
        for event in events(gan):
            if isinstance(event, Phased) and (event.step, event.phase) == (2, "discriminator"):
                ask(gan.folder, "pause", "phase", "slow", "resume")
            if isinstance(event, Phased | Paced):
                seen.append((type(event).__name__, event.step))
        # Between "pause" and "phase" nothing moves by itself; after "resume" nothing is told half by half.
        assert seen == [("Paced", 0), *[("Phased", 1)] * 2, ("Phased", 2), ("Paced", 1), ("Phased", 2), ("Paced", 2), ("Paced", 2)]
        assert gan.folder.status()["state"] == "finished"

    @pytest.mark.parametrize("way", ["request", "signal"])
    def test_it_is_stopped_in_the_middle_of_a_wait(self, way: str, gan, monkeypatch) -> None:
        """The test ends at all only if the wait does not last its hour."""
        monkeypatch.setattr(control, "SLOW_SECONDS", 3600.0)
        ask(gan.folder, "slow")
        flag, naps = threading.Event(), []

        def nap(seconds: float) -> None:
            naps.append(seconds)
            if len(naps) == 3:
                flag.set() if way == "signal" else ask(gan.folder, "stop")

        monkeypatch.setattr("latentlab.train.loop.time.sleep", nap)
        assert [event.step for event in events(gan, flag.is_set) if isinstance(event, Saved)] == [1]  # the step was finished
        assert gan.folder.status()["state"] == "stopped"
        assert max(naps) <= 0.1

    def test_a_wait_lasts_as_long_as_it_should(self, monkeypatch) -> None:
        now = [100.0]
        monkeypatch.setattr(control.time, "monotonic", lambda: now[0])
        pace = control.Pace()
        assert not pace.is_due()
        assert pace.take("slow")
        assert pace.is_due()  # the first phase at once
        pace.rest()
        now[0] += control.SLOW_SECONDS - 0.01
        assert not pace.is_due()
        now[0] += 0.02
        assert pace.is_due()
        assert not pace.take("slow")
        pace.rest()
        assert pace.take("pause")
        assert not pace.is_due()
        assert pace.take("slow")
        assert pace.is_due()


class TestSettings:
    def test_a_refusal_reaches_the_status_and_the_next_good_one_ends_it(self, gan) -> None:
        ids, seen = [], []
        gan.folder.request("pause")
        for value in (0.5, 2.5, "many", None, True, float("inf"), 0, 101):
            ids.append(gan.folder.request("set", {"train.generator_updates": value}) if value != float("inf") else "")
        ids = [i for i in ids if i]
        good = gan.folder.request("set", {"train.generator_updates": 3})
        ask(gan.folder, "step", "resume")
        before = gan.tell

        def tell() -> None:
            before()
            seen.append(gan.folder.status())

        gan.tell = tell
        warned = [event.message for event in events(gan) if isinstance(event, Warned)]
        assert len(warned) == len(ids)
        refused = [status for status in seen if status["refused"]]
        assert [status["refused"] for status in refused] == [status["taken"] for status in refused] == ids
        assert [status["message"] for status in refused] == warned
        assert all("generator_updates must be an integer of at least 1" in text for text in warned)
        accepted = next(status for status in seen if status["taken"] == good)
        assert (accepted["refused"], accepted["message"]) == (None, "")
        assert accepted["settings"]["train.generator_updates"] == 3
        assert gan.engine.twin().generator_updates == 3
        assert gan.folder.status()["state"] == "finished"
        assert [row["request"]["id"] for row in gan.folder.metrics() if row.get("request", {}).get("action") == "set"] == [good]

    @pytest.mark.parametrize("settings", [None, {}, [], {"train.steps": 9}, {"model.latent_dim": 2}, {"train.discriminator_updates": 2.0}])
    def test_what_is_no_setting_is_refused(self, settings, gan) -> None:
        with pytest.raises(LabError, match="must be"):
            live_settings(gan.config, settings)

    def test_a_change_in_the_middle_of_a_step_begins_with_the_next(self, tiny, tmp_path: Path) -> None:
        """The batch of a step and its noise were drawn for the updates that it began with."""
        changes = {"train.discriminator_updates": 1, "train.generator_updates": 1, "train.discriminator_learning_rate": 1e-3}
        paths = tmp_path / "middle", tmp_path / "border"
        for path, middle in zip(paths, (True, False), strict=True):
            session = create(tiny("conv-gan", **{"train.steps": 5}), path)
            ask(session.folder, "pause", "step", "phase")
            if not middle:
                session.folder.request("phase")
            session.folder.request("set", changes)
            if middle:
                session.folder.request("phase")
            ask(session.folder, "resume")
            statuses = [status for _, status in told(session, Phased, Paced)]
            assert statuses[-1]["settings"] == {
                "train.generator_learning_rate": session.config.train.generator_learning_rate, **changes,
            }  # fmt: skip
            assert [(row["step"], row["images_seen"]) for row in session.folder.metrics() if row.get("request", {}).get("set")] == [(2, 64)]
            assert session.position.images_seen == 2 * 32 + 3 * 16
        a, b = (reopen(path, steps=6).engine.twin().tensors() for path in paths)
        assert all((a[name] == b[name]).all() for name in a)


ASKER = """
import sys
from latentlab.runs.folder import RunFolder
folder = RunFolder(__import__("pathlib").Path(sys.argv[1]))
sys.stdin.readline()
print(*[folder.request("step") for _ in range(40)])
"""


class TestRequests:
    def test_none_is_lost_among_many_processes_and_threads(self, tmp_path: Path) -> None:
        """All begin at once; the reader takes them meanwhile, each once."""
        folder = RunFolder(tmp_path)
        reader, taken, asked = Requests(folder), [], []
        command = [sys.executable, "-c", ASKER, str(tmp_path)]
        processes = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(3)]
        threads = [threading.Thread(target=lambda: asked.extend(folder.request("pause") for _ in range(40))) for _ in range(2)]
        for process in processes:
            process.stdin.write("go\n")
            process.stdin.flush()
        for thread in threads:
            thread.start()
        while len(taken) < 200 and (any(p.poll() is None for p in processes) or any(t.is_alive() for t in threads) or reader.next()):
            if request := reader.next():
                taken.append(request["id"])
        for thread in threads:
            thread.join()
        for process in processes:
            asked += process.communicate()[0].split()
        while request := reader.next():
            taken.append(request["id"])
        assert len(asked) == len(set(asked)) == 200
        assert {request["id"] for request in folder.requests()} == set(asked)  # nobody said that any was taken

    def test_the_file_keeps_all_that_wait_and_the_last_hundred(self, tmp_path: Path) -> None:
        folder = RunFolder(tmp_path)
        ids = [folder.request("step") for _ in range(KEPT_REQUESTS + 30)]
        folder.write_status("running", 3, live={"taken": ids[19]})
        ids.append(folder.request("pause"))
        assert [request["id"] for request in folder.requests()] == ids[20:]
        folder.write_status("running", 9, live={"taken": ids[-1]})
        ids.append(folder.request("resume"))
        assert [request["id"] for request in folder.requests()] == ids[-KEPT_REQUESTS:]
        folder.write_status("running", 9, live={"taken": "of another run"})
        (tmp_path / "control.json").write_text('{"requests": [')  # torn by somebody else
        ids.append(folder.request("stop"))
        assert [request["id"] for request in folder.requests()] == ids[-1:]
        (tmp_path / "status.json").write_text("{")
        folder.request("stop")
        assert len(folder.requests()) == 2

    def test_a_request_written_within_the_same_tick_of_the_clock_is_seen(self, tmp_path: Path) -> None:
        folder = RunFolder(tmp_path)
        reader = Requests(folder)
        folder.request("pause")
        os.utime(tmp_path / "control.json", ns=(10**18, 10**18))
        assert reader.next()["action"] == "pause"
        assert reader.next() is None
        folder.request("stop")
        os.utime(tmp_path / "control.json", ns=(10**18, 10**18))
        assert reader.next()["action"] == "stop"
        assert reader.next() is None

    def test_they_wait_for_each_other_but_not_for_ever(self, tmp_path: Path, monkeypatch) -> None:
        folder = RunFolder(tmp_path)
        monkeypatch.setattr("latentlab.runs.folder.REQUEST_PATIENCE_SECONDS", 0.05)
        folder.request("pause")
        with lock(tmp_path / "control.lock", 0.0, "nobody else has it"):
            for call in (lambda: folder.request("stop"), folder.forget_requests):
                with pytest.raises(Busy, match=r"control.json must be free"):
                    call()
        folder.request("stop")
        folder.forget_requests()
        assert folder.requests() == []

    def test_those_who_look_whether_a_run_trains_do_not_see_each_other(self, tmp_path: Path) -> None:
        folder = RunFolder(tmp_path)
        assert not folder.is_locked()
        (tmp_path / "lock").touch()
        with lock(tmp_path / "lock", 0.0, "busy", shared=True):
            assert not folder.is_locked() or os.name == "nt"
        with folder.locked():
            assert folder.is_locked()


def test_a_pause_counts_for_no_rate(capsys, monkeypatch) -> None:
    now = [0.0]
    monkeypatch.setattr("latentlab.cli.train.time.monotonic", lambda: now[0])
    progress = Progress("run", 100)
    progress.step, now[0] = 50, 10.0
    assert progress._rate() == 5.0
    for mode, at, step in (("paused", 10.0, 50), ("slow", 100.0, 52), ("fast", 1000.0, 54)):
        now[0], progress.step = at, step
        progress.show(Paced(mode, step))
    assert progress._rate() == 5.0
    assert capsys.readouterr().err.splitlines() == [
        "latentlab: run: paused at step 50.", "latentlab: run: in slow motion at step 52.", "latentlab: run: at full speed at step 54.",
    ]  # fmt: skip


def test_losses_that_json_cannot_hold_are_null() -> None:
    import torch

    assert numbers({"a": torch.tensor(float("nan")), "b": torch.tensor(1.5)}) == {"a": None, "b": 1.5}
