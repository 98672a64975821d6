"""Likeness of answers: a property of winnowing, passages as both write them, latentlab's own answers, no matter the form."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from latentlab.base.texts import text
from latentlab.show.answers.likeness import LEAST_SHARE, OWN, SHOWN, WINDOW, WORDS, alike, fingerprints, model_answers, passages

LONGEST_MISSED = WINDOW + WORDS - 2
words = st.lists(st.sampled_from([f"w{i}" for i in range(400)]), min_size=0, max_size=40)


@given(shared=st.lists(st.integers(0, 10**9), min_size=LONGEST_MISSED + 1, max_size=30), around=st.tuples(words, words, words, words))
def test_whatever_stands_in_both_for_long_enough_is_found(shared: list[int], around: tuple[list[str], ...]) -> None:
    common = [str(number) for number in shared]
    one, other = ([*before, *common, *after] for before, after in (around[:2], around[2:]))
    assert fingerprints(" ".join(one)) & fingerprints(" ".join(other))


@given(said=words)
def test_capitals_spaces_and_signs_do_not_count(said: list[str]) -> None:
    assert fingerprints(" ".join(said)) == fingerprints(",\n ".join(said).upper() + " !")
    assert bool(fingerprints(" ".join(said))) == (len(said) > LONGEST_MISSED)


def test_a_neighbours_text_with_a_word_changed_is_seen_with_the_passage() -> None:
    mine = "A large beta makes information dear: Units that do not pay for themselves fall silent, one after the other, and images blur."
    theirs = "a large beta makes INFORMATION dear; units which do not pay for themselves fall silent one after the other and images blur"
    (near,) = alike({"a.html": {"kl": mine}, "b.html": {"kl": theirs}})["a.html"]["kl"]
    assert (near.other, near.mine, near.theirs) == (
        "b.html",
        "do not pay for themselves fall silent, one after the other, and images blur",
        "do not pay for themselves fall silent one after the other and images blur",
    )
    assert 0.4 < near.share < 1.0
    assert alike({"a.html": {"kl": mine}, "b.html": {"notes": theirs}}) == {"a.html": {}, "b.html": {}}  # of one section only


def test_own_words_about_the_same_thing_are_not_alike() -> None:
    one = "When beta grows, the cost of each nat grows with it, so the model keeps only what pays: the code says less."
    two = "Raising the weight pulls every posterior towards the prior; fewer latent coordinates stay in use."
    assert alike({"a.html": {"kl": one}, "b.html": {"kl": two}}) == {"a.html": {}, "b.html": {}}


def test_a_pasted_model_answer_is_named_in_either_language() -> None:
    for answer in model_answers("kl"):
        pasted = "I think: " + answer[200:900]
        (near,) = alike({"a.html": {"kl": pasted}})["a.html"]["kl"]
        assert near.other == OWN
        assert near.share > 0.9
        assert near.mine in answer
        assert len(near.mine) > 500


def test_a_model_answer_that_many_pasted_is_named_beside_them() -> None:
    answer = model_answers("kl")[0]
    found = alike({f"{i}.html": {"kl": f"{answer} {i} own words of mine in the end"} for i in range(6)})
    for told in found.values():
        assert [near.other for near in told["kl"]].count(OWN) == 1
        assert len(told["kl"]) == SHOWN + 1


def test_a_long_passage_is_named_however_long_the_text_around_it_is() -> None:
    own = [f"w{i}" for i in range(900)]
    pasted = model_answers("kl")[1].split()[20:191]
    (near,) = alike({"a.html": {"kl": " ".join([*own[:450], *pasted, *own[450:]])}})["a.html"]["kl"]
    assert (near.other, near.mine) == (OWN, " ".join(pasted))
    assert 0.1 < near.share < LEAST_SHARE
    short = [*own[:450], *pasted[:20], *own[450:]]  # a common phrase is none
    assert alike({"a.html": {"kl": " ".join(short)}}) == {"a.html": {}}


def test_latentlabs_own_words_are_found_in_any_section_analogies_too() -> None:
    answer, analogy = model_answers("kl")[0], text("question.kl.analogy", "fr")
    found = alike({"a.html": {"notes": answer, "latent-dim": analogy}})["a.html"]
    assert {section: [(near.other, near.share) for near in told] for section, told in found.items()} == {
        "notes": [(OWN, 1.0)], "latent-dim": [(OWN, 1.0)],
    }  # fmt: skip
    assert found["latent-dim"][0].mine == analogy.rstrip(".")


def test_passages_of_texts_with_nothing_in_common_are_empty() -> None:
    assert passages("one two", "three") == ("", "")


def test_a_course_that_copied_one_text_is_read_in_seconds_not_hours() -> None:
    copied = " ".join(f"word{i}" for i in range(300))
    found = alike({f"{i}.html": {"kl": copied} for i in range(120)})
    assert {len(told["kl"]) for told in found.values()} == {3}
    assert {near.share for told in found.values() for near in told["kl"]} == {1.0}
