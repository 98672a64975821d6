"""What a teacher gives: a rubric, points that stay, pseudonyms, feedback, and course systems' own files filled in."""

from __future__ import annotations

import csv
import errno
import io
import os
import random
import re
import threading
from pathlib import Path

import pytest
from commands import refusal_here
from fakeruns import fake_run
from handins import handed_in, short_questions
from hypothesis import given
from hypothesis import strategies as st

from latentlab.base.errors import LabError
from latentlab.cli import main
from latentlab.config.presets import preset
from latentlab.config.variations import ACTIVATION, BETA, LATENT_DIM, variation
from latentlab.data import load_data
from latentlab.lab.main import plan
from latentlab.show.answers.course import CANVAS, MOODLE, Grade, fill
from latentlab.show.answers.rubric import HAND_IN, WHO, Points, comment_column, pseudonyms, read_rubric, template
from latentlab.show.answers.table import read_table
from latentlab.show.card import NAMES

RUBRIC = """
[[criterion]]
question = "kl"
name = "Names a number"
points = 2
comments = ["Which number?", "Well seen."]
[[criterion]]
question = "kl"
name = "Says why"
points = 1.5
comments = ["Why?"]
[[criterion]]
question = "report"
name = "Complete"
points = 4
"""
NUMBER, WHY, WHOLE = "kl: Names a number (2)", "kl: Says why (1.5)", "report: Complete (4)"


@pytest.fixture(autouse=True, scope="module")
def _short_questions():
    with short_questions():
        yield


@pytest.fixture
def rubric(tmp_path: Path) -> Path:
    path = tmp_path / "rubric.toml"
    path.write_text(RUBRIC, encoding="utf-8")
    return path


@pytest.fixture
def handed(tmp_path: Path) -> Path:
    """Two hand-ins in a folder."""
    folder = tmp_path / "handed"
    folder.mkdir()
    handed_in(folder / "ada.html", {}, "name: Ada Lovelace\ngroup: B2\nstudent: 0012\n## kl\nIt falls, says Ada.")
    handed_in(folder / "bob.html", {}, "name: Bob\n## kl\nIt rises.")
    return folder


def grade(handed: Path, rubric: Path, *more: object) -> None:
    assert main(["grade", str(handed), "--rubric", str(rubric), "--out", str(rubric.parent / "all"), *map(str, more)]) == 0


def cells(path: Path) -> dict[str, dict[str, str]]:
    found = read_table(path, "points", (HAND_IN,))
    return {found.get(row, HAND_IN): {name: found.get(row, name) for name in found.header} for row in found.rows}


@pytest.mark.parametrize("lang", ["en", "fr"])
def test_the_rubric_to_begin_with_is_one(lang, tmp_path, capsys):
    path = tmp_path / "new" / "rubric.toml"
    assert main(["grade", "--new-rubric", str(path), "--lang", lang]) == 0
    assert path.read_text(encoding="utf-8") == template(lang)
    found = read_rubric(path)
    assert found.sections == [*NAMES, "report"]
    assert all(len(found.comments(section)) == len(found.of(section)) for section in found.sections)
    assert "must be a new file" in refusal_here(capsys, "grade", "--new-rubric", path)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("[[criterion", "must be TOML"),
        ("", "must have criteria"),
        ('[[criterion]]\nquestion = "kl"\npoints = 2', "criterion 1: name must be a text. Got 'nothing'"),
        (RUBRIC.replace('"report"', '"chess"'), "criterion 3: question must be one of"),
        (RUBRIC.replace("points = 4", "points = -4"), "criterion 3: points must be above 0"),
        (RUBRIC.replace("points = 4", 'points = "4"'), "criterion 3: points must be an integer or a number"),
        ("criterion = 3", "must have criteria"),
        ("[criterion]\nquestion = 1", "must have criteria"),
        ("criterion = [1]", "criterion 1:  must be an object"),
        (RUBRIC.replace("comments", "comment"), "a line must be one of question, name, points, comments. Got 'comment'"),
        (RUBRIC + RUBRIC, "a criterion must be there once. Got 'kl: Names a number'"),
    ],
)
def test_what_is_wrong_in_a_rubric_is_said_in_one_line(content, says, handed, tmp_path, capsys):
    path = tmp_path / "wrong.toml"
    path.write_text(content, encoding="utf-8")
    assert says in refusal_here(capsys, "grade", handed, "--rubric", path, "--out", tmp_path / "all")
    assert not (handed / "points.csv").exists()
    assert "--mark goes with --rubric" in refusal_here(capsys, "grade", handed, "--mark")


def test_points_are_asked_for_kept_at_once_and_gone_on_with(handed, rubric, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("3\n2\n1,5\n#1 Look again. #2 #9\n1\nq\n"))
    grade(handed, rubric, "--mark")
    heard = capsys.readouterr()
    assert f"{NUMBER} must be 0 to 2 points. Got '3'" in heard.err
    assert "It falls, says Ada." in heard.out
    points = Points.read(handed / "points.csv", read_rubric(rubric))
    number, why, whole = points.rubric.criteria
    assert [points.given("ada.html", one) for one in (number, why, whole)] == [2.0, 1.5, None]
    assert points.comment("ada.html", "kl") == "Which number? Look again. Well seen. #9"
    assert [points.given("bob.html", one) for one in (number, why, whole)] == [1.0, None, None]
    monkeypatch.setattr("sys.stdin", io.StringIO("0.5\n\n4\n\n3\n\n"))  # only what is missing: why of Bob, then the whole of both
    grade(handed, rubric, "--mark", "--feedback")
    assert "It falls" not in capsys.readouterr().out.partition("The whole")[0]
    points = Points.read(handed / "points.csv", points.rubric)
    assert (points.total("ada.html"), points.total("bob.html")) == (7.5, 4.5)
    with open(tmp_path / "all.csv", encoding="utf-8-sig", newline="") as file:
        assert {row["file"]: (row["student"], row["points"], row[f"points.{WHY}"]) for row in csv.DictReader(file)} == {
            "ada.html": ("0012", "7.5", "1.5"), "bob.html": ("", "4.5", "0.5"),
        }  # fmt: skip
    assert sorted(path.name for path in (tmp_path / "all-feedback").iterdir()) == ["ada.html", "bob.html"]
    ada = (tmp_path / "all-feedback" / "ada.html").read_text(encoding="utf-8")
    for words in ("Ada Lovelace", "7.5 of 7.5", "Which number? Look again.", "Complete", "4 of 4"):
        assert words in ada, words
    assert "Bob" not in ada
    assert "<script" not in ada


def test_what_a_teacher_typed_stays_whatever_is_graded(handed, rubric, capsys):
    grade(handed, rubric)
    path = handed / "points.csv"
    lines = path.read_text(encoding="utf-8-sig").replace(",", ";").splitlines()  # as a French spreadsheet saves it
    lines[0] += ";Remarque;;"
    lines[1] = f"ada.html;Ada;2;1,5;{chr(233)}crit;;;bien;mot;encore;et encore"
    lines += [";;;;;;;", "Total;;14;;;;"]
    path.write_bytes("\r\n".join(lines).encode("cp1252"))
    before = path.read_bytes()
    grade(handed / "bob.html", rubric)  # Ada's file is not read now
    assert path.read_bytes() == before
    handed_in(handed / "eve.html", {}, "name: Eve")
    grade(handed, rubric)
    found = read_table(path, "points", (HAND_IN,))
    rows = {row[0]: row for row in found.rows}
    assert list(rows) == ["ada.html", "bob.html", "Total", "eve.html"]
    assert rows["ada.html"] == ["ada.html", "Ada", "2", "1,5", "écrit", "", "", "bien", "mot", "encore", "et encore"]
    assert rows["Total"][2] == "14"
    assert found.delimiter == ";"
    for wrong, says in (
        ("2,5", f"ada.html: {NUMBER} must be 0 to 2 points. Got '2,5'"),
        ("two", "'two'"),
        ("nan", "'nan'"),
        ("0_1", "'0_1'"),
    ):
        path.write_text(before.decode("cp1252").replace("Ada;2;", f"Ada;{wrong};"), encoding="utf-8")
        assert says in refusal_here(capsys, "grade", handed, "--rubric", rubric)
    path.write_bytes(before.replace(b"\xe9crit", b"\x8fcrit"))  # Mac Roman
    assert "must be text in UTF-8" in refusal_here(capsys, "grade", handed, "--rubric", rubric)


def test_a_rubric_can_change_after_points_were_given(handed, rubric, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("2\n1\n\nq\n"))
    grade(handed, rubric, "--mark")
    rubric.write_text(RUBRIC.replace("points = 2\n", "points = 3\n").replace('"Says why"', '"Says how"'), encoding="utf-8")
    grade(handed, rubric)
    assert f"no criterion of the rubric is '{WHY}'; it stays" in capsys.readouterr().err
    points = Points.read(handed / "points.csv", read_rubric(rubric))
    assert (points.given("ada.html", points.rubric.criteria[0]), points.cell("ada.html", WHY)) == (2.0, "1")
    assert points.rubric.criteria[0].column == "kl: Names a number (3)" in points.table.header
    rubric.write_text(RUBRIC.replace("points = 2\n", "points = 1\n"), encoding="utf-8")
    assert "must be 0 to 1 points. Got '2'" in refusal_here(capsys, "grade", handed, "--rubric", rubric)


def test_what_is_typed_elsewhere_while_one_marks_stays(handed, rubric, capsys):
    points = Points.read(handed / "points.csv", read_rubric(rubric))
    points.add({"ada.html": "Ada", "bob.html": "Bob"})
    points.put("ada.html", NUMBER, "1")
    Points.read(handed / "points.csv", points.rubric).put("bob.html", comment_column("kl"), "Good.")  # a spreadsheet, or another --mark
    points.put("ada.html", WHY, "1.5")
    rows = cells(handed / "points.csv")
    assert (rows["ada.html"][NUMBER], rows["ada.html"][WHY], rows["bob.html"][comment_column("kl")]) == ("1", "1.5", "Good.")


def test_what_two_give_in_the_same_moment_is_kept(handed, rubric, capsys, monkeypatch):
    """One puts points between the other's reading and writing, or has to wait; so do two who begin."""
    points, read, others = Points.read(handed / "points.csv", read_rubric(rubric)), Points.read, []

    def then(other, *about):
        def interrupted(*path):
            found = read(*path)
            if not others:
                others.append(threading.Thread(target=other, args=about))
                others[0].start()
                others[0].join(1)  # it is done by now, or waits
            return found

        monkeypatch.setattr(Points, "read", interrupted)

    points.add({"ada.html": "Ada", "bob.html": "Bob"})
    then(Points(points.path, points.rubric, points.table).put, "bob.html", NUMBER, "2")
    points.put("ada.html", NUMBER, "1")
    others[0].join()
    others.clear()
    handed_in(handed / "eve.html", {}, "name: Eve")
    then(Points(points.path, points.rubric, points.table).put, "bob.html", WHY, "0.5")
    grade(handed, rubric)
    others[0].join()
    rows = cells(points.path)
    assert [(row[NUMBER], row[WHY]) for row in rows.values()] == [("1", ""), ("2", "0.5"), ("", "")]


@pytest.mark.skipif(os.name == "nt", reason="Windows has other locks")
def test_where_the_file_system_has_no_locks_grading_goes_on(handed, rubric, monkeypatch, capsys):
    def none(*about):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr("fcntl.flock", none)
    grade(handed, rubric)
    assert list(cells(handed / "points.csv")) == ["ada.html", "bob.html"]


def test_a_comment_that_stands_is_shown_and_not_asked_for_again(handed, rubric, capsys, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("2\n\nA long first comment.\nq\n"))
    grade(handed, rubric, "--mark")
    monkeypatch.setattr("sys.stdin", io.StringIO("1\nq\n"))
    capsys.readouterr()
    grade(handed, rubric, "--mark")
    heard = capsys.readouterr().out
    assert "A long first comment." in heard
    assert comment_column("kl") not in heard
    assert cells(handed / "points.csv")["ada.html"][comment_column("kl")] == "A long first comment."


def test_what_a_student_wrote_steers_no_terminal(handed, rubric, capsys, monkeypatch):
    handed_in(handed / "aaa.html", {}, "name: A\x1b]0;x\x07\n## kl\n\x1b[2Jwritten")
    monkeypatch.setattr("sys.stdin", io.StringIO("q\n"))
    grade(handed, rubric, "--mark")
    heard = capsys.readouterr().out
    assert "written" in heard
    assert not {"\x1b", "\x07"} & set(heard)


@pytest.mark.parametrize("name", ["points", "pseudonyms"])
def test_the_teachers_own_files_are_no_output(name, handed, rubric, tmp_path, capsys):
    said = refusal_here(capsys, "grade", handed, "--rubric", rubric, "--out", handed / name)
    assert "--out must be a name that is free" in said
    assert not list(handed.glob("*.csv"))
    (tmp_path / "all-feedback").mkdir()
    (tmp_path / "all-feedback" / "ada.html").write_text("mine", encoding="utf-8")
    assert "all-feedback/ada.html" in refusal_here(capsys, "grade", handed, "--rubric", rubric, "--out", tmp_path / "all", "--feedback")
    assert (tmp_path / "all-feedback" / "ada.html").read_text(encoding="utf-8") == "mine"


def test_a_folder_for_each_student_is_read_and_has_one_table(rubric, tmp_path, capsys):
    for name in ("Ada_1_assignsubmission_file", "Bob_2_assignsubmission_file"):
        (tmp_path / "handed" / name).mkdir(parents=True)
        handed_in(tmp_path / "handed" / name / "lab.HTM", {}, f"name: {name[:3]}")
    grade(tmp_path / "handed", rubric, "--feedback")
    keys = ["Ada_1_assignsubmission_file/lab.HTM", "Bob_2_assignsubmission_file/lab.HTM"]
    assert list(cells(tmp_path / "handed" / "points.csv")) == keys
    grade(tmp_path / "handed" / "Bob_2_assignsubmission_file", rubric)  # one alone: its row in the same table
    assert list(cells(tmp_path / "handed" / "points.csv")) == keys
    assert len(list((tmp_path / "all-feedback").iterdir())) == 2


def test_a_folder_that_is_reached_by_a_link_is_the_folder_that_was_named(handed, rubric, tmp_path, capsys):
    (link := tmp_path / "link").symlink_to(handed)
    grade(link, rubric)
    assert list(cells(handed / "points.csv")) == ["ada.html", "bob.html"]
    (elsewhere := tmp_path / "elsewhere.html").write_bytes((handed / "bob.html").read_bytes())
    (handed / "bob.html").unlink()
    (handed / "bob.html").symlink_to(elsewhere)
    grade(handed, rubric)
    assert list(cells(handed / "points.csv")) == ["ada.html", "bob.html"]
    assert "a name that is free" in refusal_here(capsys, "grade", handed, "--rubric", rubric, "--out", link / "points")


def test_pages_of_feedback_have_names_of_their_own(rubric, tmp_path, capsys):
    for name in ("a.html", "a.htm", "é" * 120 + ".html"):
        (tmp_path / "handed").mkdir(exist_ok=True)
        handed_in(tmp_path / "handed" / name, {}, f"name: {name[:6]}")
    grade(tmp_path / "handed", rubric, "--feedback")
    assert sorted(path.name for path in (tmp_path / "all-feedback").iterdir()) == ["a-2.html", "a.html", "é" * 100 + ".html"]


def test_pseudonyms_hide_whose_it_is_and_stay(handed, rubric, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("2\n1\n\nq\n"))
    grade(handed, rubric, "--mark")  # Ada's, before there were pseudonyms
    grade(handed, rubric, "--pseudonyms")
    kept = {name: row["pseudonym"] for name, row in cells(handed / "pseudonyms.csv").items()}
    assert set(kept.values()) == {"H001", "H002"}
    shown = "".join((tmp_path / f"all.{kind}").read_text(encoding="utf-8") for kind in ("csv", "html"))
    shown += (handed / "points.csv").read_text(encoding="utf-8")
    for hidden in ("Lovelace", "Bob", "B2", "0012", "ada.html", "bob.html"):
        assert hidden not in shown, hidden
    assert "It falls, says Ada." in shown  # what a text says of its author cannot be hidden
    rows = cells(handed / "points.csv")
    assert (rows[kept["ada.html"]][NUMBER], rows[kept["ada.html"]][WHO]) == ("2", "")
    handed_in(handed / "eve.html", {}, "name: Eve")
    grade(handed, rubric, "--feedback")  # with names again: the same points
    assert {name: row["pseudonym"] for name, row in cells(handed / "pseudonyms.csv").items()} == kept | {"eve.html": "H003"}
    with open(tmp_path / "all.csv", encoding="utf-8-sig", newline="") as file:
        assert next(row for row in csv.DictReader(file) if row["file"] == "ada.html")[f"points.{NUMBER}"] == "2.0"
    assert "Ada Lovelace" in (tmp_path / "all-feedback" / "ada.html").read_text(encoding="utf-8")


def test_pseudonyms_hide_a_students_number_that_is_none_and_the_labs(handed, rubric, tmp_path, capsys):
    handed_in(handed / "ada.html", {}, "name: Ada\nstudent: 12/345-LOVELACE\n## kl\nIt falls.")
    handed_in(handed / "bob.html", {}, "name: Bob", student="77-bob-4711")
    grade(handed, rubric, "--pseudonyms")
    with open(tmp_path / "all.csv", encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    told = {"student ≠ 1–40 A–Z 0–9 . _ -", "∅ ae; ∅ vae; ∅ gan; ∅ gan-from-vae"}
    assert {row["variation"] for row in rows} == told
    page = (tmp_path / "all.html").read_text(encoding="utf-8")
    assert "student ≠ 1–40 A–Z 0–9 . _ -" in page
    for hidden in ("12/345", "LOVELACE", "4711"):
        assert hidden not in page + str(rows) + capsys.readouterr().err, hidden


def test_a_name_that_a_spreadsheet_would_compute_is_text_in_every_file(handed, rubric, tmp_path, capsys):
    handed_in(handed / "=1+1.html", {}, 'name: =HYPERLINK("x")')
    for more in ((), ("--pseudonyms",)):
        grade(handed, rubric, *more)
        grade(handed, rubric, *more)  # and is found again
    rows = (handed / "points.csv").read_text(encoding="utf-8-sig").splitlines()
    assert len(rows) == 4
    assert "'=1+1.html,H00" in (handed / "pseudonyms.csv").read_text(encoding="utf-8-sig")
    (handed / "pseudonyms.csv").unlink()
    (handed / "points.csv").unlink()
    grade(handed, rubric)
    before = (handed / "points.csv").read_text(encoding="utf-8-sig")
    assert "'=1+1.html,\"'=HYPERLINK(" in before
    grade(handed, rubric)
    assert (handed / "points.csv").read_text(encoding="utf-8-sig") == before


def test_points_given_under_the_name_and_under_the_pseudonym_are_joined(handed, rubric, tmp_path, capsys):
    grade(handed, rubric, "--pseudonyms")
    hidden, path = handed / "pseudonyms.csv", handed / "points.csv"
    own = {name: row["pseudonym"] for name, row in cells(hidden).items()}
    Points.read(path, read_rubric(rubric)).put(own["ada.html"], NUMBER, "2")
    aside = hidden.rename(tmp_path / "aside.csv")
    grade(handed, rubric)  # as if there were no pseudonyms
    Points.read(path, read_rubric(rubric)).put("ada.html", WHY, "1")
    aside.rename(hidden)
    grade(handed, rubric)
    assert set(cells(path)) == set(own.values())
    assert (cells(path)[own["ada.html"]][NUMBER], cells(path)[own["ada.html"]][WHY]) == ("2", "1")
    hidden.rename(aside)
    grade(handed, rubric)
    Points.read(path, read_rubric(rubric)).put("ada.html", NUMBER, "0")
    aside.rename(hidden)
    assert f"ada.html and {own['ada.html']} are one hand-in, but differ" in refusal_here(capsys, "grade", handed, "--rubric", rubric)


def test_the_list_of_pseudonyms_may_be_edited(tmp_path):
    path = tmp_path / "p.csv"
    first = pseudonyms(path, ["a.html", "b.html"], random.Random(1).shuffle)
    lines = path.read_text(encoding="utf-8-sig").splitlines()
    path.write_text("\n".join([lines[0] + ",Note", lines[1] + ",mine", "c.html,,", ""]), encoding="utf-8")  # b's line is gone
    second = pseudonyms(path, ["a.html", "b.html", "c.html"], random.Random(1).shuffle)
    assert second["a.html"] == first["a.html"]
    assert len(set(second.values())) == 3
    assert read_table(path, "p", (HAND_IN,)).rows[0][2] == "mine"
    path.write_text("fichier,pseudonym\n", encoding="utf-8")
    with pytest.raises(LabError, match="must be hand-in and pseudonym"):
        pseudonyms(path, ["a.html"], random.Random(1).shuffle)


def test_pseudonyms_are_in_no_order_of_the_files(tmp_path):
    names = [f"{number:03d}.html" for number in range(100)]
    found = pseudonyms(tmp_path / "p.csv", names, random.Random(1).shuffle)
    assert sorted(found.values()) == [f"H{number:03d}" for number in range(1, 101)]
    assert list(found.values()) != sorted(found.values())
    assert pseudonyms(tmp_path / "p.csv", names, random.Random(2).shuffle) == found


# Course systems. The columns are those that each writes.

MOODLE_EN = (
    "Identifier,Full name,ID number,Email address,Status,Grade,Maximum grade,Grade can be changed,"
    "Last modified (submission),Last modified (grade),Feedback comments\r\n"
)
MOODLE_FR = (
    "Identifiant,Nom complet,Adresse de courriel,Statut,Note,Note maximale,La note peut être modifiée,"
    "Dernière modification (travail remis),Dernière modification (note),Feedback par commentaires\r\n"
)
CANVAS_CSV = (
    "Student,ID,SIS User ID,SIS Login ID,Section,Lab 1 (77),Lab 2 (78),Current Score\r\n"
    '    Points Possible,,,,,10.00,20.00,(read only)\r\n"Lovelace, Ada",501,0012,al,A,,,\r\n"Turing, Alan",502,,at,A,3,,\r\n'
    '"Smith, Jo",503,,js1,A,,,\r\n"Smith, Jo",504,,js2,B,,,\r\n'
)


def table(path: Path) -> list[dict[str, str]]:
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_moodles_worksheet_is_filled_by_number_by_file_and_by_name(tmp_path):
    path = tmp_path / "worksheet.csv"
    rows = [
        ("1", "A. Lovelace", " 00 12"),
        ("2", "Émilie du Châtelet", ""),
        ("23", "Bob", ""),
        ("4", "Jo Smith", ""),
        ("5", "Jo Smith", ""),
    ]
    body = "".join(f'Participant {id},{name},{number},x@y,Submitted,,10.00,Yes,"Monday, 2 November",-,\r\n' for id, name, number in rows)
    path.write_bytes(("\ufeff" + MOODLE_EN + body).encode())
    grades = [
        Grade("ada.html", "Ada", "0012", 7.5, 'Well,\n\n"seen"'),
        Grade("emilie.html", "emilie DU chatelet, Bob", "", 4, ""),
        Grade("Somebody_5_assignsubmission_file_lab.html", "Jo Smith", "", 3, "Jo"),
        Grade("jo.html", "Jo Smith", "", 9, ""),  # there are two
    ]
    written, missing = fill(path, tmp_path / "all", grades)
    assert written == tmp_path / "all-moodle.csv"
    assert missing == ["jo.html: Jo Smith has no row of worksheet.csv, by file, number or name."]
    found = table(written)
    assert ",".join(found[0]) + "\r\n" == MOODLE_EN
    assert [row["Grade"] for row in found] == ["7.5", "4", "4", "", "3"]
    assert found[0]["Feedback comments"] == 'Well,\n\n"seen"'
    assert {row["Last modified (grade)"] for row in found} == {"-"}  # by which Moodle sees that nobody graded meanwhile
    with pytest.raises(LabError, match=r"10.5 points must be at most the 10.00"):
        fill(path, tmp_path / "all", [Grade("ada.html", "Ada", "0012", 10.5, "")])


def moodle(tmp_path: Path, *rows: str) -> Path:
    path = tmp_path / "worksheet.csv"
    path.write_text(MOODLE_EN + "".join(f"Participant {id},{row}\r\n" for id, row in enumerate(rows, 1)), encoding="utf-8")
    return path


def test_everybody_who_made_a_hand_in_gets_the_grade_or_is_named(tmp_path):
    path = moodle(tmp_path, "Ada Lovelace,4711,,,,10,Yes,-,-,old words", "Bob Bobson,4712,,,,10,Yes,-,-,", "Zed,,,,,10,Yes,-,-,")

    def filled(*grades: Grade) -> tuple[list[str], list[str]]:
        written, said = fill(path, tmp_path / "all", grades)
        return [row["Grade"] for row in table(written)], said

    assert filled(Grade("x_1_assignsubmission_file_/lab.html", "Ada Lovelace, Bob Bobson", "", 3, "")) == (["3", "3", ""], [])
    assert filled(Grade("p.html", "Ada Lovelace, Bob Bobson", "4711", 3, "")) == (["3", "3", ""], [])
    assert filled(Grade("p.html", "", "4711, 4712", 3, "")) == (["3", "3", ""], [])
    assert filled(Grade("p.html", "Lovelace, Ada", "", 3, "")) == (["3", "", ""], [])
    grades, said = filled(Grade("p.html", "Ada Lovelace, Boby", "", 3, ""))
    assert grades == ["3", "", ""]
    assert said == ["p.html: Boby has no row of worksheet.csv, by file, number or name."]
    grades, said = filled(Grade("a.html", "Ada Lovelace", "", 9, ""), Grade("z.html", "Zed", "4711", 0, ""))  # Zed gives Ada's number
    assert grades == ["", "", "0"]
    assert said == ["a.html and z.html both want the row of Ada Lovelace: it stays as it is. Grade one of them alone."]
    written, _ = fill(path, tmp_path / "all", [Grade("a.html", "Ada Lovelace", "", 9, "")])
    assert table(written)[0]["Feedback comments"] == "old words"  # nothing was said now
    assert len(read_table(path, "", ()).rows) == 3


def test_neither_the_gradebook_itself_nor_another_file_is_replaced(tmp_path):
    path = tmp_path / "all-canvas.csv"
    path.write_text(CANVAS_CSV, encoding="utf-8")
    with pytest.raises(LabError, match="a name that is free"):
        fill(path, tmp_path / "all", [], "Lab 1")
    path.rename(tmp_path / "g.csv")
    path.write_text("mine,and,only mine\n", encoding="utf-8")
    with pytest.raises(LabError, match="a name that is free"):
        fill(tmp_path / "g.csv", tmp_path / "all", [], "Lab 1")
    path.unlink()
    written, said = fill(tmp_path / "g.csv", tmp_path / "all", [Grade("p.html", "Points Possible", "", 1, "")], "Lab 1")
    assert table(written)[0]["Lab 1 (77)"] == "10.00"
    assert "Points Possible has no row" in said[0]
    (tmp_path / "g.csv").write_text("Student,ID,Section\nA,1,S\n", encoding="utf-8")
    with pytest.raises(LabError, match="must have a column of an assignment"):
        fill(tmp_path / "g.csv", tmp_path / "all", [])


def test_moodles_french_worksheet_without_numbers_is_filled(tmp_path):
    path = tmp_path / "feuille.csv"
    path.write_text(MOODLE_FR + 'Participant900110,Ada Lovelace,a@b,Remis,,"20,00",Oui,-,-,\r\n', encoding="utf-8")
    written, missing = fill(path, tmp_path / "n", [Grade("a.html", "Lovelace Ada", "12", 15.25, "Bien.")])
    assert missing == []
    columns = MOODLE_FR.strip().split(",")
    cells = ["Participant900110", "Ada Lovelace", "a@b", "Remis", "15.25", "20,00", "Oui", "-", "-", "Bien."]
    assert table(written) == [dict(zip(columns, cells, strict=True))]
    assert all(set(names) & set(columns) for key, names in MOODLE.items() if key != "number")


def test_canvas_takes_its_own_columns_and_one_assignment(tmp_path):
    path = tmp_path / "canvas.csv"
    path.write_text(CANVAS_CSV, encoding="utf-8")
    grades = [
        Grade("lovelaceada_501_9_lab.html", "", "", 8, ""),
        Grade("t.html", "Alan Turing", "", 6.5, ""),
        Grade("s.html", "Jo Smith", "JS2", 1, ""),
        Grade("n.html", "Nobody", "", 1, ""),
    ]
    for column in ("Lab 2", "Lab 2 (78)"):
        written, missing = fill(path, tmp_path / "all", grades, column)
        assert [said.partition(":")[0] for said in missing] == ["n.html"]
        found = table(written)
        assert list(found[0]) == [*CANVAS, "Lab 2 (78)"]
        assert [row["Lab 2 (78)"] for row in found] == ["20.00", "8", "6.5", "", "1"]
    with pytest.raises(LabError, match=r"--column must be the assignment: one of Lab 1 \(77\), Lab 2 \(78\)"):
        fill(path, tmp_path / "all", grades)
    path.write_text("a,b\n1,2\n", encoding="utf-8")
    with pytest.raises(LabError, match="Moodle assignment or a Canvas gradebook"):
        fill(path, tmp_path / "all", grades)


def test_the_gradebook_has_who_has_all_points(handed, rubric, tmp_path, capsys, monkeypatch):
    path = tmp_path / "canvas.csv"
    path.write_text(CANVAS_CSV.replace(",Lab 1 (77)", "").replace("10.00,", "").replace("A,3,", "A,"), encoding="utf-8")
    monkeypatch.setattr("sys.stdin", io.StringIO("2\n1\n\n1\n1\n\n4\n\nq\n"))
    grade(handed, rubric, "--mark", "--gradebook", path)
    assert "bob.html: not in the gradebook, for points are missing" in capsys.readouterr().err
    assert [row["Lab 2 (78)"] for row in table(tmp_path / "all-canvas.csv")] == ["20.00", "7", "", "", ""]


# A variation of one's own.


@given(st.from_regex(r"[A-Za-z0-9._-]{1,40}", fullmatch=True))
def test_a_variation_is_one_of_those_that_there_are_and_the_same_for_one_number(student):
    vae = variation(student, "vae")
    assert vae["model.latent_dim"] in LATENT_DIM
    assert vae["model.activation"] in ACTIVATION
    assert vae["train.beta"] in BETA
    assert 0 <= vae["train.seed"] < 2**31
    assert variation(f" {student.upper()} ", "vae") == vae
    assert variation(student, "gan") == {name: value for name, value in vae.items() if name != "train.beta"}


def test_no_two_students_have_one_lab():
    found = [tuple(variation(str(number), "vae").values()) for number in range(20_210_000, 20_215_000)]
    assert len(set(found)) == len(found)
    assert {one[:3] for one in found} == {(size, name, beta) for size in LATENT_DIM for name in ACTIVATION for beta in BETA}


def test_the_labs_runs_are_the_students_and_grade_knows_which_are_not(tmp_path, capsys):
    digits = preset("conv-vae", **{"data.spec": "digits"})
    configs = plan(load_data(digits.data), {"data.spec": "digits"}, True, tmp_path, "4711")
    for name, config in configs.items():
        if name != "gan-from-vae":  # which takes its form from the VAE
            for field, value in variation("4711", config.family).items():
                part, leaf = field.split(".")
                assert getattr(getattr(config, part), leaf) == value, (name, field)
    own = variation("4711", "vae")
    right = fake_run(tmp_path / "vae", "vae", epochs=1, **own)
    wrong = fake_run(tmp_path / "other" / "vae", "vae", epochs=1, **own | {"train.beta": 3.0})
    folder = tmp_path / "handed"
    folder.mkdir()
    handed_in(folder / "a.html", {"vae": right}, "name: A\nstudent: 4711")
    handed_in(folder / "b.html", {"vae": wrong}, "name: B\nstudent: 4711")
    handed_in(folder / "c.html", {"vae": wrong}, "name: C")
    assert main(["grade", str(folder), "--out", str(tmp_path / "all")]) == 0
    with open(tmp_path / "all.csv", encoding="utf-8-sig", newline="") as file:
        found = {row["file"]: row["variation"] for row in csv.DictReader(file)}
    beta = own["train.beta"]
    rest = "∅ ae; ∅ gan; ∅ gan-from-vae"
    assert found == {"a.html": rest, "b.html": f"train.beta 3.0 ≠ {beta} (vae); {rest}", "c.html": ""}
    assert f"train.beta 3.0 ≠ {beta} (vae)" in (tmp_path / "all.html").read_text(encoding="utf-8")
    assert "must be 1 to 40 letters and digits" in refusal_here(capsys, "lab", "--student", "a/b", "--out", tmp_path / "lab")


def test_the_labs_number_stands_where_the_sheet_has_none_and_a_sheet_that_contradicts_it_is_told(tmp_path, capsys, rubric):
    own = variation("4711", "vae")
    run = fake_run(tmp_path / "vae", "vae", epochs=1, **own)
    folder = tmp_path / "handed"
    folder.mkdir()
    handed_in(folder / "lab.html", {"vae": run}, None, student="4711")
    handed_in(folder / "same.html", {"vae": run}, "name: A\nstudent: 47 11", student="4711")
    handed_in(folder / "pair.html", {"vae": run}, "name: A, B\nstudent: 4711, 4712", student="4711")
    handed_in(folder / "other.html", {"vae": run}, "name: B\nstudent: 4712", student="4711")
    (tmp_path / "moodle.csv").write_text("Identifier,Full name,ID number,Grade\nParticipant 1,Ada,4711,\n", encoding="utf-8")
    (folder / "points.csv").write_text(f"{HAND_IN},{NUMBER},{WHY},{WHOLE}\nlab.html,2,1,4\n", encoding="utf-8")
    grade(folder, rubric, "--gradebook", tmp_path / "moodle.csv")
    with open(tmp_path / "all.csv", encoding="utf-8-sig", newline="") as file:
        found = {row["file"]: (row["student"], row["variation"]) for row in csv.DictReader(file)}
    rest = "∅ ae; ∅ gan; ∅ gan-from-vae"
    assert {name: found[name] for name in ("lab.html", "same.html", "pair.html")} == {
        "lab.html": ("4711", rest), "same.html": ("47 11", rest), "pair.html": ("4711, 4712", rest),
    }  # fmt: skip
    assert found["other.html"][0] == "4712"
    assert found["other.html"][1].startswith("student ≠ lab --student; ")
    assert table(tmp_path / "all-moodle.csv")[0]["Grade"] == "7"  # found by the number alone


def test_a_course_of_120_is_graded_row_by_row(rubric, tmp_path, capsys):
    """Every row of every file that is written is that student's, with his name, number, points, comment and text."""
    folder, numbers = tmp_path / "handed", range(120)
    folder.mkdir()
    words = [f"{number}: " + " ".join(f"word{number}x{at}" for at in range(12)) for number in numbers]
    words[7] = words[93]
    given = [(str(number % 3), str(number % 4 / 4), str(number % 5)) for number in numbers]
    totals = [sum(map(float, each)) for each in given]
    for number in numbers:
        handed_in(folder / f"h{number:03}.html", {}, f"name: Student <{number}>\nstudent: n{number:03}\n## kl\n{words[number]}")
    marked = [f"h{number:03}.html,{','.join(given[number])},Comment {number}!" for number in numbers]
    (folder / "points.csv").write_text("\n".join([f"{HAND_IN},{NUMBER},{WHY},{WHOLE},{comment_column('kl')}", *marked]), encoding="utf-8")
    worksheet = [f"Participant {900 + number},Nobody,n{number:03},," for number in reversed(numbers)]
    (tmp_path / "m.csv").write_text("\n".join(["Identifier,Full name,ID number,Grade,Feedback comments", *worksheet]), encoding="utf-8")
    grade(folder, rubric, "--feedback", "--gradebook", tmp_path / "m.csv")
    heard = capsys.readouterr()
    assert (heard.out.splitlines()[0].partition(".")[0], heard.err) == ("120 read: 120 as written, 0 edited since, 0 foreign", "")
    with open(tmp_path / "all.csv", encoding="utf-8-sig", newline="") as file:
        rows = [
            (row["file"], row["state"], row["name"], row["student"], float(row["points"]), row["kl.answer"], row["like_text_of"])
            for row in csv.DictReader(file)
        ]
    like = {7: "kl: h093.html 1.00", 93: "kl: h007.html 1.00"}
    assert rows == [
        (f"h{n:03}.html", "sound", f"Student <{n}>", f"n{n:03}", totals[n], words[n], like.get(n, "")) for n in numbers
    ]  # fmt: skip
    assert [tuple(row.values())[:4] for row in cells(folder / "points.csv").values()] == [
        (f"h{n:03}.html", *given[n]) for n in numbers
    ]  # fmt: skip
    assert [(row["ID number"], float(row["Grade"]), row["Feedback comments"]) for row in table(tmp_path / "all-moodle.csv")] == [
        (f"n{n:03}", totals[n], f"Comment {n}!") for n in reversed(numbers)
    ]
    pages = {path.name: path.read_text(encoding="utf-8") for path in (tmp_path / "all-feedback").iterdir()}
    assert set(pages) == {f"h{n:03}.html" for n in numbers}
    whole = (tmp_path / "all.html").read_text(encoding="utf-8")
    for n in numbers:
        page = pages[f"h{n:03}.html"]
        assert set(re.findall(r"Student &lt;(\d+)&gt;", page)) == {str(n)}
        assert re.findall(r"Comment (\d+)!", page) == [str(n)]
        assert f"{totals[n]:g} of 7.5" in page
        article = next(one for one in whole.split("<article") if f"Student &lt;{n}&gt;" in one and "Comment" in one)
        assert f"Comment {n}!" in article
        assert words[n] in article
