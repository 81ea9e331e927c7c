"""The documents say what there is, and show what a terminal really shows."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import pkgutil
import re
import sys
from pathlib import Path
from types import ModuleType

import click
import pytest

import flask_sakyum_migrate
from flask_sakyum_migrate import Migrate, Repository, binds, compat, environment, errors, results
from flask_sakyum_migrate.cli import db, shared_options

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
PAGES = sorted(path.name for path in DOCS.glob("*.md"))


def script(name: str) -> ModuleType:
    """Load one of the scripts beside the pages."""
    spec = importlib.util.spec_from_file_location(f"docs_{name}", DOCS / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


sessions = script("sessions")
cli_reference = script("cli_reference")


def text_of(page: str) -> str:
    return (DOCS / page).read_text("utf-8")


# ---- the reference of the commands ---------------------------------------------------------------

COMMANDS = sorted(db.commands.items())
every_command = pytest.mark.parametrize(
    "command", [command for _, command in COMMANDS], ids=[name for name, _ in COMMANDS]
)


def test_the_reference_is_what_the_commands_say() -> None:
    page = text_of("cli.md")
    assert cli_reference.page(page) == page, "run: python docs/cli_reference.py"


@every_command
def test_a_command_is_documented_with_its_options(command: click.Command) -> None:
    page = text_of("cli.md")
    heading = f"\n## {command.name}\n"
    assert heading in page
    section = page.partition(heading)[2].partition("\n## ")[0]
    assert command.help and command.help.strip() in section
    everywhere = [param.name for param in shared_options(cli_reference.EVERYWHERE)]
    for option in cli_reference.options(command):
        where = page if option.name in everywhere else section
        assert option.help and option.help in where, option.name
        for name in option.opts:
            assert re.search(rf"`{name}[ `]", where), name
    for param in command.params:
        if isinstance(param, click.Argument):
            assert f"[{param.human_readable_name.upper()}]" in section


def test_the_pipelines_name_commands_and_options_that_exist() -> None:
    lines = re.findall(r"flask db ([^\n`|&#]+)", text_of("ci.md"))
    assert len(lines) > 15
    for line in lines:
        name, *words = line.split()
        known = {one for param in db.commands[name].params for one in param.opts}
        assert {word for word in words if word.startswith("-")} <= known, line


def test_the_options_of_the_group_have_help() -> None:
    assert all(option.help for option in cli_reference.options(db))


# ---- Python --------------------------------------------------------------------------------------


def public_members(cls: type) -> dict[str, object]:
    """Return the methods and properties that a class shows, its own and inherited."""
    return {
        name: getattr(cls, name)
        for name in dir(cls)
        if not name.startswith("_")
        and (callable(getattr(cls, name)) or isinstance(getattr(cls, name), property))
        and name not in getattr(cls, "__dataclass_fields__", ())
    }


@pytest.mark.parametrize("cls", [Migrate, Repository])
def test_a_class_is_documented_with_its_members(cls: type) -> None:
    page = text_of("api.md")
    members = public_members(cls)
    assert members and inspect.getdoc(cls)
    own = page.partition(f".. autoclass:: {cls.__name__}\n")[2].partition("```")[0]
    for name, member in members.items():
        assert inspect.getdoc(member), f"{cls.__name__}.{name} has no docstring"
        listed = re.search(rf"^\.\. auto\w+:: {cls.__name__}\.{name}$", page, re.M)
        assert listed or re.search(rf"^   \.\. auto\w+:: {name}$", own, re.M), name


@pytest.mark.parametrize("name", flask_sakyum_migrate.__all__)
def test_a_public_name_is_documented(name: str) -> None:
    assert inspect.getdoc(getattr(flask_sakyum_migrate, name))
    assert re.search(rf"^\.\. auto(class|exception):: {name}(\(\))?$", text_of("api.md"), re.M)


FAMILIES = [
    importlib.import_module(f"{results.__name__}.{one.name}")
    for one in pkgutil.iter_modules(results.__path__)
]


@pytest.mark.parametrize(
    "module", [*FAMILIES, errors, environment, binds], ids=lambda module: module.__name__
)
def test_what_a_module_defines_is_documented(module: ModuleType) -> None:
    internal = {
        "binds": {
            "Source",
            "databases",
            "metadata_tuple",
            "read_heads",
            "sqlite_file",
            "unreachable",
        }
    }
    page = text_of("api.md")
    found = 0
    for name, value in vars(module).items():
        if name.startswith("_") or getattr(value, "__module__", None) != module.__name__:
            continue
        if not (inspect.isclass(value) or inspect.isfunction(value)):
            continue
        if name not in internal.get(module.__name__.rpartition(".")[2], ()):
            found += 1
            assert inspect.getdoc(value), name
            assert re.search(rf"^\.\. auto\w+:: {name}(\(\))?$", page, re.M), name
    assert found


def test_results_gives_every_record() -> None:
    records = [
        (name, value)
        for module in FAMILIES
        for name, value in vars(module).items()
        if inspect.isclass(value) and value.__module__ == module.__name__
    ]
    assert [name for name, value in records if getattr(results, name) is not value] == []
    assert sorted(name for name, _ in records) == dir(results)


@pytest.mark.parametrize("name", compat.__all__)
def test_a_name_of_flask_migrate_is_documented(name: str) -> None:
    # A module of this package with such a name would take the function's place.
    for module in pkgutil.iter_modules(flask_sakyum_migrate.__path__):
        importlib.import_module(f"flask_sakyum_migrate.{module.name}")
    assert getattr(flask_sakyum_migrate, name) is getattr(compat, name)
    assert f"`{name}`" in text_of("from-flask-migrate.md")
    if name != "command":
        assert re.search(rf"^\.\. auto\w+:: {name}$", text_of("api.md"), re.M)


def test_every_argument_of_migrate_is_documented() -> None:
    page = text_of("config.md")
    arguments = list(inspect.signature(Migrate.__init__).parameters)[1:]
    assert len(arguments) > 9
    for name in arguments:
        assert f"\n| `{name}` | " in page, name
        assert f":param {name}:" in (Migrate.__doc__ or ""), name


def test_every_part_of_the_house_is_on_the_map() -> None:
    page = text_of("contributing.md")
    package = ROOT / "flask_sakyum_migrate"
    for path in package.iterdir():
        if path.name.startswith("__") or path.name == "py.typed":
            continue
        name = f"{path.name}/" if path.is_dir() else path.name
        assert f"\n| `{name}` | " in page, name
    for name, answer in re.findall(r"^\| `([\w/.]+)` \| (.*)", page, re.M):
        assert (package / name).exists(), name
        if name.endswith("/"):
            # env.py is that of a migrations folder.
            for file in set(re.findall(r"`(\w+\.py|\w+/)`", answer)) - {"env.py"}:
                assert (package / name / file).exists(), f"{name}{file}"


# ---- pages ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", [*(f"docs/{name}" for name in PAGES), "README.md"])
def test_links_lead_somewhere(page: str) -> None:
    path = ROOT / page
    text = re.sub(r"^```.*?^```$", "", path.read_text("utf-8"), flags=re.M | re.S)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if target.startswith(("http://", "https://")):
            continue
        name, _, anchor = target.partition("#")
        there = (path.parent / name).resolve() if name else path
        assert there.is_file(), target
        if anchor:
            assert anchor in anchors(there.read_text("utf-8")), target


def anchors(text: str) -> set[str]:
    """Return what the headings of a page are linked by, as GitHub and MyST make them."""
    text = re.sub(r"^```.*?^```$", "", text, flags=re.M | re.S)
    headings = re.findall(r"^#{1,3} (.+)$", text, re.M)
    return {re.sub(r"[^\w\- ]", "", one.lower()).replace(" ", "-") for one in headings}


def test_every_page_is_in_the_table_of_contents() -> None:
    toctree = text_of("index.md").partition("```{toctree}")[2]
    assert {f"{name}.md" for name in toctree.split("```")[0].split()[1:]} == {*PAGES} - {"index.md"}


@pytest.mark.parametrize("page", PAGES)
def test_no_page_shows_a_folder_of_this_machine(page: str) -> None:
    for place in ("/tmp", str(ROOT), str(Path.home())):
        assert place not in text_of(page)


# ---- what a terminal shows -----------------------------------------------------------------------


@pytest.mark.parametrize("page", [path.name for path in sessions.pages()])
def test_a_page_shows_what_a_terminal_shows(page: str, tmp_path: Path) -> None:
    before = text_of(page)
    after = sessions.rewritten(before, tmp_path)
    assert sessions.TRACEBACK not in before + after
    assert sessions.normalised(after) == sessions.normalised(before), "python docs/sessions.py"


def test_the_pages_of_a_beginner_are_run() -> None:
    assert {"index.md", "quickstart.md"} <= {path.name for path in sessions.pages()}


def test_another_output_is_noticed(tmp_path: Path) -> None:
    page = "```console\n$ echo 0123456789ab 0.10 s\n{}\n$ echo 0123456789ab\n{}\n```\n"
    shown = page.format("0123456789ab 0.10 s", "0123456789ab")
    run = sessions.normalised(sessions.rewritten(shown, tmp_path))
    assert run == sessions.normalised(shown)
    same = {"0123456789ab", "ba9876543210"}
    assert run.count("REVISION1") == 4 and not any(one in run for one in same)
    assert run != sessions.normalised(page.format("0123456789ab 0.10 s", "ba9876543210"))
    assert run != sessions.normalised(page.format("0123456789ab 0.10 m", "0123456789ab"))


@pytest.mark.parametrize("page", ["docs/index.md", "README.md"])
def test_the_application_of_a_page_is_migrated(page: str, tmp_path: Path) -> None:
    if page == "README.md":
        shown = re.search(r"^```python\n(.*?)^```$", (ROOT / page).read_text("utf-8"), re.M | re.S)
        if shown is None:
            pytest.skip("README.md shows no application")
        source = shown[1]
    else:
        source = sessions.application().text
    assert 0 < len(source.splitlines()) <= 15
    session = sessions.Session(tmp_path)
    session.write(sessions.File("app.py", source))
    for command in ("init", "migrate -m first", "upgrade", "current"):
        printed = session.run(f"flask db {command} || echo failed").splitlines()
        assert printed and printed[-1] != "failed", printed
    assert printed[-1].endswith(" (head)")
    (table,) = re.findall(r"^class (\w+)\(db\.Model\)", source, re.M)
    revision = session.run("cat migrations/versions/*.py")
    assert f"op.create_table('{table.lower()}'" in revision
