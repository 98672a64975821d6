"""What scores.json says in English, in the language of a table: units, notes, diagnoses.

scores.json is one file for every reader, so it holds English. A unit or a note that is not known here, from another
version or another program, stays as it is written.
"""

from __future__ import annotations

import re

from latentlab.texts import catalogue, number, text

UNITS = {
    "squared error per pixel, pixels in [0, 1]": "squared-error",
    "mean SSIM": "ssim",
    "nats per image": "nats-per-image",
    "bits per dimension": "bits-per-dimension",
    "share": "share",
    "squared distance of features": "squared-distance",
    "squared MMD of features": "squared-mmd",
    "mean MS-SSIM of pairs": "ms-ssim",
    "root mean square over pixels in [0, 1]": "root-mean-square",
}
COUNTED = (
    (re.compile(r"share, k = (?P<k>\d+)"), "share-k"),
    (re.compile(r"of (?P<all>\d+) latent units"), "latent-units"),
)
NOTES = (
    (re.compile(r"binary cross-entropy on grey pixels: not a likelihood"), "grey"),
    (re.compile(r"(?P<images>\d+) images for (?P<features>\d+) features: (?P<worse>.*)the distance is far too high; .*"), "few"),
)


def unit_words(unit: str, lang: str) -> str:
    """A unit in a language: "nats" and "dB" are the same in each."""
    if unit in UNITS:
        return text(f"compare.unit.{UNITS[unit]}", lang)
    for pattern, key in COUNTED:
        if found := pattern.fullmatch(unit):
            return text(f"compare.unit.{key}", lang, **{name: number(int(value), lang) for name, value in found.groupdict().items()})
    return unit


def note_words(note: str, lang: str) -> str:
    """What was noted at a score, in a language."""
    for pattern, key in NOTES:
        if found := pattern.fullmatch(note):
            counts = {name: number(int(value), lang) for name, value in found.groupdict().items() if value.isdigit()}
            return text(f"compare.noted.{key}", lang, **counts)
    return note


def diagnosis_words(key: str, lang: str) -> str:
    """The name of a finding; a key that this version does not know stays as it is."""
    name = f"diagnosis.{key}.name"
    return text(name, lang) if name in catalogue(lang) else key
