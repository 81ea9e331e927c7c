"""Headers are read from the source, and say what running the file would say."""

from __future__ import annotations

import os
import py_compile
import random
from pathlib import Path
from types import ModuleType

import pytest
from alembic.script import Script, ScriptDirectory

from flask_sakyum_migrate.errors import HistoryError
from flask_sakyum_migrate.revisions import Header, headers, read_folder, read_header

DOC = '"""add a user\n\nRevision ID: abc123def456\nRevises: \nCreate Date: 2024-01-01\n\n"""\n'
IMPORTS = "from alembic import op\nimport sqlalchemy as sa\n\n\n"
FUNCTIONS = "\n\ndef upgrade():\n    pass\n\n\ndef downgrade():\n    pass\n"
NAMES = 'revision = "abc123def456"\ndown_revision = None\nbranch_labels = None\ndepends_on = None\n'
TYPED = (
    'revision: str = "abc123def456"\n'
    'down_revision: Union[str, Sequence[str], None] = "0123456789ab"\n'
    "branch_labels: Union[str, Sequence[str], None] = None\n"
    "depends_on: Union[str, Sequence[str], None] = None\n"
)
PLAIN = DOC + IMPORTS + NAMES + FUNCTIONS

Said = tuple[str, tuple[str, ...], tuple[str, ...], tuple[str, ...], str]


@pytest.fixture(autouse=True)
def no_bytecode(monkeypatch: pytest.MonkeyPatch) -> None:
    """Python would take a file written again in the same second for the one it has compiled."""
    monkeypatch.setattr("sys.dont_write_bytecode", True)


@pytest.fixture
def not_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail when a file is run to learn what it says."""

    def refuse(path: str) -> None:
        pytest.fail(f"{path} was run")

    monkeypatch.setattr(headers, "load_module", refuse)


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The files that were run to learn what they say."""
    paths: list[str] = []
    load = headers.load_module

    def note(path: str) -> ModuleType:
        paths.append(path)
        return load(path)

    monkeypatch.setattr(headers, "load_module", note)
    return paths


def write(folder: Path, source: str | bytes, name: str = "one.py") -> str:
    path = folder / name
    path.write_bytes(source if isinstance(source, bytes) else source.encode())
    return str(path)


def said(header: Header) -> Said:
    return (header.revision, header.down, header.labels, header.depends, header.doc)


def run_by_alembic(path: str) -> Said:
    """What Alembic knows of a file after it has run it."""
    folder = Path(path).parent
    script = Script._from_path(ScriptDirectory(str(folder)), path)
    assert script is not None
    down = script.down_revision or ()
    depends = script.dependencies or ()
    return (
        script.revision,
        (down,) if isinstance(down, str) else tuple(down),
        tuple(script._orig_branch_labels),
        (depends,) if isinstance(depends, str) else tuple(depends),
        script.longdoc,
    )


# ---- forms that need no running --------------------------------------------------------------

UNRUN = {
    "old template": PLAIN,
    "typed template": DOC + "from typing import Sequence, Union\n\n" + IMPORTS + TYPED + FUNCTIONS,
    "merge": PLAIN.replace("down_revision = None", 'down_revision = ("a1", "b2")'),
    "merge over lines": PLAIN.replace(
        "down_revision = None", 'down_revision = (\n    "a1",\n    "b2",\n)'
    ),
    "merge as a list": PLAIN.replace("down_revision = None", 'down_revision = ["a1", "b2"]'),
    "tuple of one": PLAIN.replace("down_revision = None", "down_revision = ('a1',)"),
    "empty tuple": PLAIN.replace("down_revision = None", "down_revision = ()"),
    "brackets around a string": PLAIN.replace("down_revision = None", 'down_revision = ("a1")'),
    "label": PLAIN.replace("branch_labels = None", "branch_labels = ('shop',)"),
    "label as a string": PLAIN.replace("branch_labels = None", "branch_labels = 'shop'"),
    "two labels": PLAIN.replace("branch_labels = None", "branch_labels = ('shop', 'till')"),
    "depends on one": PLAIN.replace("depends_on = None", 'depends_on = "a1"'),
    "depends on two": PLAIN.replace("depends_on = None", "depends_on = ('a1', \"b2\")"),
    "single quotes": PLAIN.replace('"abc123def456"', "'abc123def456'"),
    "windows lines": PLAIN.replace("\n", "\r\n"),
    "windows lines and a byte order mark": "\ufeff" + PLAIN.replace("\n", "\r\n"),
    "byte order mark": "\ufeff" + PLAIN,
    "old mac lines": PLAIN.replace("\n", "\r"),
    "no docstring": IMPORTS + NAMES + FUNCTIONS,
    "docstring in single quotes": PLAIN.replace('"""', "'''"),
    "docstring on one line": '"add a user"\n' + IMPORTS + NAMES + FUNCTIONS,
    "docstring with a backslash": PLAIN.replace("add a user", "add \\t \\u00e9 \\\\ user"),
    "raw docstring": "r" + PLAIN.replace("add a user", r"add \d user"),
    "docstring with quotes": PLAIN.replace("add a user", 'add "a" ""user'),
    "docstring in other letters": PLAIN.replace("add a user", "Größe ändern, 名前"),
    "empty docstring": '""""""\n' + IMPORTS + NAMES + FUNCTIONS,
    "docstring indented": PLAIN.replace("Revision ID", "    Revision ID"),
    "docstring of spaces": '"""   \n   """\n' + IMPORTS + NAMES + FUNCTIONS,
    "nothing but the header": NAMES,
    "no line end at the end": DOC + NAMES.rstrip("\n"),
    "comment before the docstring": "#!/usr/bin/env python\n" + PLAIN,
    "licence before the docstring": "# Copyright\n#\n\n" + PLAIN,
    "comments between": PLAIN.replace("down_revision", "# what it stands on\n\ndown_revision"),
    "comment on the line": PLAIN.replace('456"\n', '456"  # identifiers, used by Alembic\n'),
    "comment in a tuple": PLAIN.replace("down_revision = None", 'down_revision = ("a1",  # )\n)'),
    "comment with a name in it": PLAIN.replace(FUNCTIONS, "\n# down_revision was b2 once\n"),
    "text with a name in it": PLAIN + 'TEXT = """\nrevision = "other"\n"""\n',
    "other order": (
        DOC
        + "depends_on = None\nbranch_labels = None\ndown_revision = 'a1'\nrevision = 'b2'\n"
        + FUNCTIONS
    ),
    "code between": PLAIN.replace("branch_labels", "x = 1\nbranch_labels"),
    "after much code": DOC
    + IMPORTS
    + "def help_me(one, two=(1, 2)):\n    revision = one\n    return revision, two\n\n\n" * 30
    + NAMES
    + FUNCTIONS,
    "at the end": DOC + IMPORTS + FUNCTIONS.lstrip() + NAMES,
    "without labels and dependencies": DOC + 'revision = "b2"\ndown_revision = "a1"\n',
    "no spaces around": DOC + 'revision="b2"\ndown_revision="a1"\nbranch_labels=None\n',
    "many spaces": DOC + 'revision   =   "b2"   \ndown_revision\t=\t"a1"\t\n',
    "on one line": DOC + 'revision = "b2"; down_revision = "a1"; depends_on = None\n',
    "two names at once": DOC + 'revision = this = "b2"\ndown_revision = "a1"\n',
    "text in pieces": DOC + 'revision = "b2" "c3"\ndown_revision = ("a1" "b2")\n',
    "escapes": DOC + 'revision = "b\\x32"\ndown_revision = "a\\u0031"\n',
    "long text": DOC + 'revision = """b2"""\ndown_revision = None\n',
    "line goes on": DOC + 'revision = \\\n    "b2"\ndown_revision = None\n',
    "other letters": DOC + 'revision = "größe"\ndown_revision = None\n',
    "hash in the id": PLAIN.replace("abc123def456", "a#b"),
    "annotation as text": PLAIN.replace("revision = ", 'revision: "str" = ', 1),
    "annotation with Optional": PLAIN.replace(
        "down_revision = ", "down_revision: typing.Optional[str] = "
    ).replace("import sqlalchemy", "import typing\nimport sqlalchemy"),
    "annotation with a bar": PLAIN.replace(
        "down_revision = ", "down_revision: str | tuple[str, ...] | None = "
    ),
    "local variables": PLAIN
    + "def f():\n    revision = 1\n    down_revision = branch_labels = depends_on = revision\n",
    "attributes": PLAIN + "class Old:\n    revision = 1\n    depends_on = revision\n",
    "arguments": PLAIN + "def f(revision, down_revision=None):\n    return revision\n",
    "guarded imports": PLAIN.replace(
        "import sqlalchemy as sa\n", "try:\n    import sqlalchemy as sa\nexcept ImportError: pass\n"
    ),
}


@pytest.mark.parametrize("form", UNRUN)
def test_a_literal_header_is_read_without_running_the_file(
    form: str, tmp_path: Path, not_run: None
) -> None:
    path = write(tmp_path, UNRUN[form])
    assert said(read_header(path)) == run_by_alembic(path)


@pytest.mark.parametrize(
    "body",
    [
        'raise RuntimeError("this file was run")\n',
        "import a_module_that_is_not_there\n",
        "open('run.txt', 'w').close()\n",
        "undefined\n",
    ],
)
@pytest.mark.parametrize(
    "source", [PLAIN, DOC + IMPORTS + "x = 1\n" + NAMES, DOC + IMPORTS + TYPED]
)
def test_a_file_that_would_not_run_is_read_all_the_same(
    source: str, body: str, tmp_path: Path
) -> None:
    plain = read_header(write(tmp_path, source, "plain.py"))
    broken = read_header(write(tmp_path, source + body, "broken.py"))
    assert said(broken) == said(plain)


def test_the_values_of_the_typed_template(tmp_path: Path) -> None:
    path = write(tmp_path, UNRUN["typed template"])
    header = read_header(path)
    assert header == Header(
        "abc123def456",
        ("0123456789ab",),
        (),
        (),
        "add a user\n\nRevision ID: abc123def456\nRevises: \nCreate Date: 2024-01-01",
        path,
    )


# ---- forms that need running -----------------------------------------------------------------

RUN = {
    "sum": PLAIN.replace('"abc123def456"', '"abc" + "123"'),
    "formatted": PLAIN.replace('"abc123def456"', 'f"abc{123}"'),
    "call": PLAIN.replace('"abc123def456"', 'str("abc")'),
    "environment": "import os\n" + PLAIN.replace('"abc123def456"', 'os.environ.get("NO", "abc")'),
    "other name": "BASE = 'a1'\n" + PLAIN.replace("down_revision = None", "down_revision = BASE"),
    "computed down": PLAIN.replace("down_revision = None", 'down_revision = ("a" + "1", "b2")'),
    "computed label": PLAIN.replace("branch_labels = None", 'branch_labels = "shop".upper()'),
    "computed dependency": PLAIN.replace("depends_on = None", 'depends_on = tuple("ab")'),
    "twice": PLAIN.replace("down_revision = None", 'down_revision = "a1"\ndown_revision = "b2"'),
    "revision again": PLAIN + 'revision = "b2"\n',
    "down again": PLAIN + 'down_revision = "b2"\n',
    "labels again": PLAIN + 'branch_labels = ("b2",)\n',
    "depends again": PLAIN + 'depends_on = ("b2",)\n',
    "if": PLAIN + 'if True:\n    down_revision = "b2"\n',
    "if on one line": PLAIN + 'if True: revision = "b2"\n',
    "if around it": DOC + 'if True:\n    revision = "b2"\n    down_revision = None\n',
    "for": PLAIN + 'for revision in ("b2", "c3"):\n    pass\n',
    "for, down": PLAIN + 'for down_revision in ("b2", "c3"):\n    pass\n',
    "try": PLAIN + 'try:\n    revision = "b2"\nfinally:\n    pass\n',
    "while": PLAIN + 'while True:\n    revision = "b2"\n    break\n',
    "with": PLAIN + 'import contextlib\nwith contextlib.nullcontext("b2") as revision:\n    pass\n',
    "walrus": PLAIN + 'if (revision := "b2"):\n    pass\n',
    "walrus, down": PLAIN + 'print if (down_revision := "b2") else None\n',
    "match": PLAIN + 'match "b2":\n    case revision:\n        pass\n',
    "match as": PLAIN + 'match ["b2"]:\n    case [str() as revision]:\n        pass\n',
    "tuple": PLAIN + 'x, revision = 1, "b2"\n',
    "tuple in brackets": PLAIN + '(revision) = "b2"\n',
    "list": PLAIN + '[revision, x] = "b2", 1\n',
    "starred": PLAIN + 'x, *down_revision = 1, "b2"\n',
    "added": PLAIN + 'revision += "0"\n',
    "after a semicolon": PLAIN + 'x = 1; revision = "b2"\n',
    "chained": PLAIN + 'x = revision = "b2"\n',
    "deleted and set": PLAIN + 'del revision; revision = "b2"\n',
    "deleted": PLAIN + "del depends_on\n",
    "global": PLAIN + 'def f():\n    global revision\n    revision = "b2"\n\n\nf()\n',
    "global after a tab": PLAIN + 'def f():\n\tglobal\trevision\n\trevision = "b2"\n\n\nf()\n',
    "global, down": PLAIN + 'def f():\n    global x, down_revision\n    down_revision = "b"\nf()\n',
    "global in a class": PLAIN + 'class A:\n    global revision\n    revision = "b2"\n',
    "globals": PLAIN + 'globals()["rev" + "ision"] = "b2"\n',
    "vars": PLAIN + 'vars()["revision"] = "b2"\n',
    "exec": PLAIN + "exec('revision = \"b2\"')\n",
    "import": PLAIN + "from string import digits as revision\n",
    "import before a semicolon": PLAIN + "x = 1; from string import digits as revision\n",
    "import among others": PLAIN + "from string import hexdigits, digits as down_revision\n",
    "import in a function": PLAIN
    + "def f():\n    global revision\n    from string import digits as revision\n\n\nf()\n",
    "the docstring set": PLAIN + '__doc__ = "another message"\n',
    "function": PLAIN + 'def revision(): pass\nrevision = "b2"\n',
}  # fmt: skip


@pytest.mark.parametrize("form", RUN)
def test_an_unusual_header_is_what_running_the_file_says(form: str, tmp_path: Path) -> None:
    path = write(tmp_path, RUN[form])
    assert said(read_header(path)) == run_by_alembic(path)


def test_a_star_import_is_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "shared_header_of_a_test.py").write_text('revision = "b2"\ndepends_on = "a1"\n')
    monkeypatch.syspath_prepend(tmp_path)
    path = write(tmp_path, PLAIN + "from shared_header_of_a_test import *\n")
    assert said(read_header(path)) == run_by_alembic(path)
    assert read_header(path).revision == "b2"


def test_a_name_from_an_import_is_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "other_header_of_a_test.py").write_text('revision = "b2"\n')
    monkeypatch.syspath_prepend(tmp_path)
    path = write(tmp_path, PLAIN + "\nfrom other_header_of_a_test import revision\n")
    assert said(read_header(path)) == run_by_alembic(path)


@pytest.mark.parametrize("form", ["sum", "environment", "computed down", "if around it"])
def test_only_the_unusual_file_is_run(form: str, tmp_path: Path, runs: list[str]) -> None:
    write(tmp_path, PLAIN, "a.py")
    unusual = write(tmp_path, RUN[form].replace("abc", "b"), "b.py")
    write(tmp_path, PLAIN.replace("abc123def456", "c"), "c.py")
    assert len(read_folder([tmp_path])) == 3
    assert runs == [unusual]


def test_the_oldest_files_have_their_id_in_the_name(tmp_path: Path) -> None:
    path = write(tmp_path, '"""old"""\ndown_revision = None\n', "3a4b5c.py")
    assert said(read_header(path)) == run_by_alembic(path)
    assert read_header(path).revision == "3a4b5c"


# ---- every combination -----------------------------------------------------------------------

DOCS = [
    '"""add a user\n\nRevision ID: a\n\n"""\n',
    '"""one line"""\n',
    "'''single'''\n",
    '"short"\n',
    "",
    '"""with "quotes" and # hash\n\nrevision = "no"\n"""\n',
    '"""\n\n  indented\n  text\n\n"""   \n',
    '"""back\\\\slash"""\n',
    'r"""raw \\d"""\n',
    '"""名前"""\n',
    '"""a""" "b"\n',
    '"""a"""; x = 1\n',
]
BEFORE = [
    "from alembic import op\nimport sqlalchemy as sa\n",
    "from typing import Sequence, Union\n\nfrom alembic import op\n",
    "from __future__ import annotations\n",
    "import sqlalchemy as sa; import os\n",
    "from sqlalchemy.dialects import (\n    mysql,\n    postgresql as revision,\n)\n",
    "from sqlalchemy.dialects import mysql, \\\n    postgresql\n",
    "# revision identifiers, used by Alembic.\n",
    "x = {'revision': 1}\n",
    "def f(a, b=None):\n    revision = a\n    return revision\n",
    "if True:\n    pass\n",
    "\n\n",
    "\t\n \n",
    "\x0c\n",
]
IDS = ["'r1'", '"r2"', "'r' '3'", '"r" + "4"', "str('r5')", "('r6')", "'''r7'''", "'r\x38'"]
ONE_OR_MORE = [
    "None",
    "None",
    "'a1'",
    '"b2"',
    "('a1', 'b2')",
    '["a1"]',
    "('a1',)",
    "()",
    "(\n  'a1',\n  'b2',\n)",
    "('a' + '1',)",
    "tuple(['a1'])",
    "('a1',  # one\n  'b2')",
    "  'a1'",
    "None  # nothing",
    "('a1', 'b2')[:1]",
]
ANNOTATIONS = ["", "", ": str", ": Any", " : 'str'", ": 'Union[str, Sequence[str], None]'"]
AFTER = [
    "",
    "",
    "def upgrade():\n    pass\n",
    "def upgrade():\n    revision = 1\n    return revision\n",
    "def upgrade():\n    op.execute('revision')\n    down_revision = 2\n    return down_revision\n",
    "class A:\n    revision = 'a'\n    depends_on = 'b'\n",
    "x = 'revision'\n",
    "revisions = 'x'\n",
    "revision_id = revision\n",
    "revision = revision\n",
    "revision = 'z9'\n",
    "  \nif revision: down_revision = 'z9'\n",
    "for x in 'ab': revision = x\n",
    "try:\n    depends_on = 'z9'\nexcept Exception: pass\n",
    "def f():\n    global branch_labels\n    branch_labels = 'z9'\nf()\n",
    "y = [revision for x in 'a']\n",
    "y = [revision for revision in 'ab']\n",
    "y = lambda revision: revision\n",
    "from os.path import sep as revision\n",
    "import os as x, string as revisions\n",
    "x, revision = 'z8', 'z9'\n",
    "#revision = 'z9'\n",
    "'''\nrevision = 'z9'\n'''\n",
    "y = '''\nrevision = 'z9'\n'''\n",
    "import os.path\n",
]


def generate(chance: random.Random) -> str:
    """Put a revision file together from what such files have; a third has little unusual."""
    strange = chance.choice([0.05, 0.2, 0.5])

    def odd() -> bool:
        return chance.random() < strange

    def one(choices: list[str]) -> str:
        return chance.choice(choices) if odd() else choices[0]

    lines = [
        f"revision{one(ANNOTATIONS)} = {one(IDS)}\n",
        f"down_revision{one(ANNOTATIONS)} = {one(ONE_OR_MORE)}\n",
        f"branch_labels{one(ANNOTATIONS)} = {one(ONE_OR_MORE)}\n",
        f"depends_on{one(ANNOTATIONS)} = {one(ONE_OR_MORE)}\n",
    ]
    if odd():
        chance.shuffle(lines)
    if odd():
        lines.insert(chance.randrange(len(lines)), chance.choice(["\n", "# more\n", "x = 1\n"]))
    imports = "from typing import Any, Sequence, Union\n"
    text = one(DOCS) + one(BEFORE) + imports + "".join(lines) + chance.choice(AFTER)
    if "from __future__" in text:
        text = text.replace("x = 1", "")
    if odd():
        text = text.replace("\n", "\r\n")
    return "\ufeff" + text if odd() else text


@pytest.mark.parametrize("seed", range(20))
def test_any_header_is_what_running_the_file_says(seed: int, tmp_path: Path) -> None:
    chance = random.Random(seed)
    for number in range(15):
        text = generate(chance)
        path = write(tmp_path, text, f"file{number}.py")
        assert said(read_header(path)) == run_by_alembic(path), text


# ---- letters ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "cookie", ["# -*- coding: latin-1 -*-\n", "#!python\n# vim: set fileencoding=cp1252:\n"]
)
def test_a_file_in_another_encoding_is_read_as_python_reads_it(
    cookie: str, tmp_path: Path, not_run: None
) -> None:
    source = (cookie + PLAIN.replace("add a user", "Größe ändern")).encode("latin-1")
    path = write(tmp_path, source)
    assert read_header(path).doc.splitlines()[0] == "Größe ändern"
    assert said(read_header(path)) == run_by_alembic(path)


def test_letters_that_are_not_utf8_name_the_file(tmp_path: Path) -> None:
    path = write(tmp_path, PLAIN.replace("add a user", "Größe ändern").encode("latin-1"))
    with pytest.raises(HistoryError) as caught:
        read_header(path)
    assert path in caught.value.message
    assert "utf-8" in caught.value.message


# ---- files that are not revisions ------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "line"),
    [
        ('"""doc"""\nrevision = "a"\ndown_revision = (\n', 3),
        ('"""doc"""\n\n\ndef broken(:\n', 4),
        (PLAIN.replace('revision = "abc', "revision = 'abc", 1), 12),
        ('revision = "a"\ndown_revision = None\n  x = 1\n', 3),
    ],
)
def test_a_syntax_error_names_file_and_line(source: str, line: int, tmp_path: Path) -> None:
    path = write(tmp_path, source)
    with pytest.raises(HistoryError) as caught:
        read_header(path)
    assert caught.value.message.startswith(f"{path}, line {line}: SyntaxError: ") or (
        caught.value.message.startswith(f"{path}, line {line}: IndentationError: ")
    )
    assert caught.value.path == path
    assert caught.value.line == line


def test_merge_marks_of_git_name_file_and_line(tmp_path: Path) -> None:
    marks = '<<<<<<< HEAD\ndown_revision = "a"\n=======\ndown_revision = "b"\n>>>>>>> other\n'
    path = write(tmp_path, '"""doc"""\nrevision = "a"\n' + marks)
    with pytest.raises(HistoryError) as caught:
        read_header(path)
    assert caught.value.message == f"{path}, line 3: SyntaxError: invalid syntax"


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("raise RuntimeError('not today')", "RuntimeError: not today"),
        ("int('x')", "ValueError: invalid literal"),
        ("import no_such_module_anywhere", "ModuleNotFoundError: No module named"),
        ("{}['key']", "KeyError: 'key'"),
        ("undefined", "NameError: name 'undefined'"),
    ],
)
def test_a_file_that_has_to_be_run_and_raises_names_file_and_line(
    statement: str, words: str, tmp_path: Path
) -> None:
    path = write(tmp_path, f'"""doc"""\nrevision = str("a")\n\n{statement}\n')
    with pytest.raises(HistoryError) as caught:
        read_header(path)
    assert caught.value.message.startswith(f"{path}, line 4: {words}")
    assert caught.value.line == 4


def test_a_broken_module_that_a_revision_imports_is_the_one_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The line of the message is a line of the file that the message names."""
    (tmp_path / "broken_helper_of_a_test.py").write_text("\n\n\n\ndef broken(:\n")
    monkeypatch.syspath_prepend(tmp_path)
    path = write(tmp_path, "import broken_helper_of_a_test\nrevision = str('a')\n")
    with pytest.raises(HistoryError) as caught:
        read_header(path)
    assert f"{path}, line 5" not in caught.value.message
    assert "broken_helper_of_a_test.py, line 5" in caught.value.message


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("", "is not a revision: it sets no `revision`."),
        ("import os\n", "is not a revision: it sets no `revision`."),
        ('revision = "a"\n', "sets no `down_revision`."),
        ("revision = 5\ndown_revision = None\n", "have to be strings"),
        ('revision = "a"\ndown_revision = 5\n', "have to be strings"),
        ('revision = "a"\ndown_revision = ("b", 5)\n', "have to be strings"),
        (PLAIN.replace("down_revision = None", "down_revision = (5)"), "have to be strings"),
        (PLAIN.replace("down_revision = None", "down_revision = ({[]: 5})"), "unhashable"),
        (PLAIN.replace("branch_labels = None", "branch_labels = (1, 2)"), "have to be strings"),
        ('revision = ""\ndown_revision = None\n', "have to be strings"),
    ],
)
def test_a_file_that_is_no_revision_is_named(source: str, words: str, tmp_path: Path) -> None:
    path = write(tmp_path, source)
    with pytest.raises(HistoryError) as caught:
        read_header(path)
    assert path in caught.value.message
    assert words in caught.value.message
    assert caught.value.path == path


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(HistoryError) as caught:
        read_header(str(tmp_path / "gone.py"))
    assert (
        caught.value.message == f"{tmp_path / 'gone.py'} cannot be read: No such file or directory"
    )


def test_a_null_byte_names_the_file(tmp_path: Path) -> None:
    path = write(tmp_path, PLAIN.encode() + b"\0\n" + b"revision = 1\n")
    with pytest.raises(HistoryError) as caught:
        read_header(path)
    assert caught.value.message.startswith(path)
    assert "null bytes" in caught.value.message


# ---- folders ---------------------------------------------------------------------------------


def names(folders: list[Path], **options: bool) -> list[str]:
    return [Path(one.path).name for one in read_folder(folders, **options)]


def revision_file(folder: Path, name: str, revision: str = "") -> str:
    folder.mkdir(parents=True, exist_ok=True)
    return write(folder, PLAIN.replace("abc123def456", revision or name.partition(".")[0]), name)


def alembic_names(folder: Path, **options: bool) -> list[str]:
    directory = ScriptDirectory(
        str(folder),
        version_locations=[str(folder)],
        recursive_version_locations=options.get("recursive", False),
        sourceless=options.get("sourceless", False),
    )
    return [Path(one.path).name for one in directory._load_revisions()]


def test_a_folder_is_read_in_the_order_of_the_names(tmp_path: Path) -> None:
    for name in ("b.py", "a.py", "B.py", "_c.py", "10.py", "9.py"):
        revision_file(tmp_path, name, f"r{name}".replace(".", ""))
    assert names([tmp_path]) == ["10.py", "9.py", "B.py", "_c.py", "a.py", "b.py"]
    assert names([tmp_path]) == alembic_names(tmp_path)


@pytest.mark.parametrize(
    "name",
    [
        ".#one.py",
        "__init__.py",
        "__init__x.py",
        "one.pyc",
        "one.txt",
        "one.py~",
        "README",
        "one.pyi",
    ],
)
def test_other_files_are_passed_over(name: str, tmp_path: Path) -> None:
    revision_file(tmp_path, "good.py")
    write(tmp_path, "not (python", name)
    assert names([tmp_path]) == ["good.py"]
    assert names([tmp_path]) == alembic_names(tmp_path)


def test_a_hidden_file_counts_as_it_does_for_alembic(tmp_path: Path) -> None:
    revision_file(tmp_path, ".hidden.py", "a")
    assert names([tmp_path]) == alembic_names(tmp_path) == [".hidden.py"]


def test_a_folder_called_like_a_file_is_passed_over(tmp_path: Path) -> None:
    revision_file(tmp_path, "good.py")
    (tmp_path / "old.py").mkdir()
    assert names([tmp_path]) == alembic_names(tmp_path) == ["good.py"]


def test_folders_below_are_read_when_they_are_asked_for(tmp_path: Path) -> None:
    revision_file(tmp_path, "c.py")
    revision_file(tmp_path / "2024", "a.py")
    revision_file(tmp_path / "2025" / "spring", "b.py")
    revision_file(tmp_path / "2025" / "__pycache__", "d.py")
    assert names([tmp_path]) == ["c.py"]
    assert names([tmp_path], recursive=True) == ["c.py", "a.py", "b.py"]
    assert names([tmp_path], recursive=True) == alembic_names(tmp_path, recursive=True)


def test_a_location_that_is_not_there_is_empty(tmp_path: Path) -> None:
    revision_file(tmp_path / "there", "a.py")
    assert names([tmp_path / "gone", tmp_path / "there"]) == ["a.py"]


def test_a_location_that_is_a_file_is_named(tmp_path: Path) -> None:
    path = Path(revision_file(tmp_path, "a.py"))
    with pytest.raises(HistoryError) as caught:
        read_folder([path])
    assert caught.value.message == f"{path} cannot be read: Not a directory"


def test_a_location_that_is_named_twice_is_read_once(tmp_path: Path) -> None:
    revision_file(tmp_path, "a.py")
    assert names([tmp_path, tmp_path]) == ["a.py"]


def test_a_location_behind_a_link_is_read_once(tmp_path: Path) -> None:
    revision_file(tmp_path / "versions", "a.py")
    (tmp_path / "link").symlink_to(tmp_path / "versions")
    assert names([tmp_path / "versions", tmp_path / "link"]) == ["a.py"]


def compiled(folder: Path, name: str, revision: str) -> None:
    """Leave what an installation without sources has: a compiled file beside nothing."""
    path = revision_file(folder, name, revision)
    py_compile.compile(path, cfile=path + "c", doraise=True)
    os.remove(path)  # noqa: PTH107


def test_compiled_files_count_when_the_folder_says_so(tmp_path: Path) -> None:
    compiled(tmp_path, "a.py", "a1")
    revision_file(tmp_path, "b.py", "b2")
    py_compile.compile(str(tmp_path / "b.py"), cfile=str(tmp_path / "b.pyc"), doraise=True)
    assert names([tmp_path]) == ["b.py"]
    found = read_folder([tmp_path], sourceless=True)
    assert [(Path(one.path).name, one.revision) for one in found] == [
        ("a.pyc", "a1"),
        ("b.py", "b2"),
    ]
    assert names([tmp_path], sourceless=True) == alembic_names(tmp_path, sourceless=True)


def test_compiled_files_in_the_cache_count_as_they_do_for_alembic(tmp_path: Path) -> None:
    for name in ("a.py", "b.py", "__init__.py"):
        path = revision_file(tmp_path, name, name[0] + "1")
        py_compile.compile(path, doraise=True)
    (tmp_path / "a.py").unlink()
    (tmp_path / "__init__.py").unlink()
    found = names([tmp_path], sourceless=True)
    assert found == alembic_names(tmp_path, sourceless=True)
    assert [name.partition(".")[0] for name in found] == ["b", "a"]
