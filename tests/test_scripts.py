"""JavaScript files joined into one script."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from latentlab.show.bundle import joined, module

FILES = {
    "a.js": """import { twice, Box } from "./b.js";
const hidden = 3;
export const a = () => twice(hidden);
export async function later() {}
""",
    "b.js": """import { made } from "./c-d.js";
const hidden = 4;
export function twice(x) {
  return [2 * x, hidden, made.count];
}
export class Box {}
""",
    "c-d.js": """export const made = { count: 0 };
made.count += 1;
export function* each() {}
""",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, source in FILES.items():
        (tmp_path / name).write_text(source, encoding="utf-8")
    return tmp_path


@pytest.mark.skipif(shutil.which("node") is None, reason="runs in Node.js")
def test_each_file_runs_once_and_hides_what_it_does_not_export(folder: Path) -> None:
    script = f"const lab = {joined(folder, {'a': 'a.js', 'made': 'c-d.js'})};"
    told = "console.log(JSON.stringify([lab.a(), lab.made, Object.keys(lab), typeof hidden]))"
    done = subprocess.run(["node", "-e", script + told], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == [[6, 4, 1], {"count": 1}, ["a", "made"], "undefined"]


def test_a_module_exports_what_was_asked_for_and_imports_nothing(folder: Path) -> None:
    text = module(folder, {"a": "a.js", "each": "c-d.js"}, "lab")
    assert text.count("export") == 1
    assert text.endswith("export const { a, each } = lab;\n")
    assert not re.search(r"^\s*import", text, re.MULTILINE)
    assert text.index("made.count += 1") < text.index("function twice") < text.index("const a =")


@pytest.mark.parametrize(
    ("files", "told"),
    [
        ({"a.js": 'import { b } from "./b.js";\nexport const a = b;\n', "b.js": "export const c = 1;\n"}, "b.js must export b, which a.js"),
        (
            {"a.js": 'import { b } from "./b.js";\nexport const a = 1;\n', "b.js": 'import { a } from "./a.js";\nexport const b = 1;\n'},
            "a.js > b.js > a.js",
        ),
        ({"a.js": 'import * as b from "./b.js";\nexport const a = b;\n'}, "plain forms"),
        ({"a.js": "const b = 1;\nexport const a = b;\nexport { b };\n"}, "plain forms"),
        ({"a.js": 'import { b as c } from "./b.js";\nexport const a = c;\n'}, "plain forms"),
        ({"a.js": 'import {\n  b,\n} from "./b.js";\nexport const a = b;\n'}, "plain forms"),
        ({"a.js": 'import { b } from "d3";\nexport const a = b;\n'}, "plain forms"),
        ({"a.js": "export let a = 1;\n"}, "a.js must export a, which a host"),
    ],
)
def test_what_cannot_be_joined_is_refused(tmp_path: Path, files: dict[str, str], told: str) -> None:
    for name, source in files.items():
        (tmp_path / name).write_text(source, encoding="utf-8")
    with pytest.raises(ValueError, match=re.escape(told)):
        joined(tmp_path, {"a": "a.js"})
