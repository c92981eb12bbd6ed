"""Deploying: what makes a version and what does not, duplicates, what disappears, schedules."""

import subprocess
from pathlib import Path
from typing import Any

import msgspec
import pytest
from project_home import Home, codes, flow, what

from weft.model.errors import Conflict, NotFound, ProjectError
from weft.model.projects import ProjectEntry, VersionEntry
from weft.projects.difference import difference
from weft.projects.records import PROJECTS, SCHEDULES, VERSIONS, WORKFLOWS
from weft.store.protocol import Write


def versions(home: Home, name: str = "etl") -> list[VersionEntry]:
    """A workflow's versions, oldest first."""
    return [each.value for each in VERSIONS.all(home.store, prefix=f"{name}@")]


def test_a_first_deploy_registers_everything(home: Home) -> None:
    """Project, workflow, version and graph are there, with what the code says of them."""
    home.write(flows=flow(args="day: str = 'x'", options="(tags=['daily'], doc='Words.')"))
    done = home.deploy()
    assert (what(done), done.problems, done.loaded) == ({"etl": "new"}, (), 1)
    entry = home.entry("etl")
    assert (entry.project, entry.file, entry.variable, entry.kind) == ("code", "flows.py", "etl", "flow")
    assert (entry.version, entry.tags, entry.doc, entry.deployed_by) == (1, ("daily",), "Words.", "me")
    assert (entry.snapshot, entry.params[0].name) == (done.snapshot, "day")
    assert home.store.graph(entry.graph).workflow == "etl"
    (first,) = versions(home)
    assert (first.version, first.at, first.files.keys()) == (1, home.now, {"flows.py"})


def test_nothing_changed_writes_nothing(home: Home) -> None:
    """A second deploy of the same files loads none and leaves every record as it was."""
    home.write(flows=flow())
    home.deploy()
    before = home.store.records("workflow"), home.store.records("project")
    done = home.deploy()
    assert (what(done), done.loaded) == ({"etl": "unchanged"}, 0)
    assert (home.store.records("workflow"), home.store.records("project")) == before


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"flows": flow(top="import lib", body="return 2")}, ["code", "graph"]),
        ({"flows": flow(top="import lib", args="n: int = 1")}, ["code", "graph"]),
        ({"flows": flow(top="import lib", options="(retries=2)")}, ["code", "graph"]),
        ({"lib": "def late():\n    import deep\n    return 3\n"}, ["code"]),
        ({"deep": "DEEP = 2\n"}, ["code"]),
        ({"flows": "# words\n" + flow(top="import lib  # more") + "\n\n"}, []),
        ({"lib": "def late():\n\n    import deep  # words\n\n    return 2\n"}, []),
        ({"other": "X = 2\n"}, []),
    ],
    ids=["body", "parameter", "policy", "module", "late-module", "comment", "module-comment", "unrelated"],
)
def test_what_makes_a_version(home: Home, change: dict[str, str], expected: list[str]) -> None:
    """Graph and code do, also code that is imported inside a function; comments and other files do not."""
    home.write(flows=flow(top="import lib"), lib="def late():\n    import deep\n    return 2\n")
    home.write(deep="DEEP = 1\n", other="X = 1\n")
    home.deploy()
    home.write(**change)
    done = home.deploy()
    (found,) = done.changes
    assert list(found.changed) == expected
    assert home.entry("etl").version == (2 if expected else 1)
    assert home.entry("etl").snapshot == done.snapshot  # New runs have the newest files in any case.


def test_the_environment_makes_a_version(home: Home) -> None:
    """Another lock file is another environment."""
    home.write(flows=flow())
    home.put("requirements.txt", "polars==1.0\n")
    home.deploy()
    home.put("requirements.txt", "polars==2.0\n")
    (found,) = home.deploy().changes
    assert (found.changed, found.version) == (("environment",), 2)


def test_data_that_is_read_while_a_file_loads_is_code(home: Home) -> None:
    """A dag that is made from a table is another one when the table changes."""
    home.put("tables.txt", "a b")
    home.write(
        flows="from weft import dag, task\n@task\ndef load(name: str) -> str: return name\n"
        "@dag\ndef etl():\n    for each in open('tables.txt').read().split():\n"
        "        load.with_options(name=each)(each)\n"
    )
    home.deploy()
    home.put("tables.txt", "a b c")
    (found,) = home.deploy().changes
    assert found.changed == ("code", "graph")
    told = difference(home.store, home.artifacts, *versions(home))
    assert (told.added, told.removed, told.changed) == (("c",), (), ("graph", "code"))


NOISE = {
    "chance": "x: float = random.random()",
    "now": "x: datetime = datetime.now()",
    "address": "x: str = repr(object())",
    "set_order": "x: list = list({str(n) * 3 for n in range(20)})",
    "dict_order": "x: dict = {each: 1 for each in {str(n) * 3 for n in range(20)}}",
    "process": "x: int = os.getpid()",
}


def test_noise_makes_no_version(home: Home) -> None:
    """What differs each time a file is loaded is no change of the workflow, in flows and in dags."""
    text = "import os, random\nfrom datetime import datetime\n" + flow()
    text += "@task\ndef work(x): return x\n"
    for name, args in NOISE.items():
        text += f"@flow\ndef flow_{name}({args}): return work(x)\n"
        text += f"@dag\ndef dag_{name}({args}): return work(x)\n"
        text += f"@dag\ndef const_{name}(): work({args.partition(' = ')[2]})\n"
    home.write(flows=text)
    done = home.deploy()
    assert (len(done.changes), done.problems) == (3 * len(NOISE) + 1, ())
    graphs = {each.workflow: home.entry(each.workflow).graph for each in done.changes}
    home.write(flows=text + "# another comment, so that it is loaded again\n")
    done = home.deploy()
    assert done.loaded == 1
    assert {each.what for each in done.changes} == {"unchanged"}
    assert {name: home.entry(name).graph for name in graphs} == graphs


def test_a_date_of_the_day_makes_no_version(home: Home, tmp_path: Path) -> None:
    """``date.today()`` is the same in every look of a day, and still no change of the code."""
    today = tmp_path / "today"
    top = f"from datetime import date\nDAY = date.fromisoformat(open({str(today)!r}).read())"
    text = flow(top=top, args="x: date = DAY")
    home.write(flows=text)
    today.write_text("2026-01-01")
    home.deploy()
    today.write_text("2026-01-02")
    home.write(flows=text + "# again\n")
    assert what(home.deploy()) == {"etl": "unchanged"}


def test_a_value_from_outside_is_a_change(home: Home, tmp_path: Path) -> None:
    """One that stays the same from look to look, and is another than before, is no noise."""
    table = tmp_path / "table"
    text = flow(args=f"x: str = open({str(table)!r}).read()")
    home.write(flows=text)
    table.write_text("one")
    home.deploy()
    table.write_text("two")
    home.write(flows=text + "# again\n")
    (found,) = home.deploy().changes
    assert (found.changed, found.version) == (("graph",), 2)


def test_only_what_changed_is_loaded(home: Home) -> None:
    """A file is loaded again if it, or a file that it imported, changed; or a new file may hide a module."""
    home.write(a=flow("a", top="import lib"), b=flow("b", top="import colorsys"), lib="")
    assert home.deploy().loaded == 2
    home.write(c=flow("c"))
    assert home.deploy().loaded == 1
    home.write(lib="X = 1\n")
    assert home.deploy().loaded == 1
    home.write(colorsys="Y = 1\n")
    done = home.deploy()
    assert (done.loaded, home.entry("b").version) == (1, 2)


def test_a_broken_file_hides_nothing(home: Home) -> None:
    """Its workflows stay as they were, and others are deployed; once mended it goes on."""
    home.write(a=flow("a"), b=flow("b"))
    home.deploy()
    old = home.entry("a").snapshot
    home.write(a="import weft\n1 / 0\n", b=flow("b", body="return 2"))
    done = home.deploy()
    assert (what(done), codes(done)) == ({"a": "kept", "b": "changed"}, {"a.py": "W1105"})
    assert (home.entry("a").snapshot, home.entry("a").gone) == (old, False)
    project: ProjectEntry = PROJECTS.require(home.store, "code").value
    assert project.files["a.py"].problems[0].code == "W1105"
    home.write(a=flow("a", body="return 3"))
    assert what(home.deploy()) == {"a": "changed", "b": "unchanged"}


def test_a_broken_dag_hides_nothing_in_its_file(home: Home) -> None:
    """An error of one workflow is that workflow's."""
    home.write(flows=flow() + "\n@task\ndef t() -> int: return 1\n@dag\ndef odd():\n    if t(): pass\n")
    done = home.deploy()
    assert what(done) == {"etl": "new"}
    (problem,) = done.problems
    assert (problem.workflow, problem.code, problem.where) == ("odd", "W1104", "flows.py:11")


def test_a_broken_dag_keeps_only_itself(home: Home) -> None:
    """It stays as it was deployed; what was taken out of its file is gone all the same."""
    dag = "\n@task\ndef t() -> int: return 1\n@dag\ndef odd():\n    {}\n"
    home.write(flows=flow() + dag.format("t()"))
    home.deploy()
    home.write(flows="from weft import dag, task\n" + dag.format("if t(): pass"))
    assert what(home.deploy()) == {"etl": "gone", "odd": "kept"}


def test_what_disappears_is_gone_and_may_come_back(home: Home) -> None:
    """It is marked, not deleted; the next version follows the last one."""
    home.write(a=flow("a"), b=flow("b"))
    home.deploy()
    (home.code / "a.py").unlink()
    assert what(home.deploy()) == {"a": "gone", "b": "unchanged"}
    assert home.entry("a").gone
    assert what(home.deploy()) == {"b": "unchanged"}
    home.write(a=flow("a", body="return 2"))
    assert what(home.deploy()) == {"a": "back", "b": "unchanged"}
    assert (home.entry("a").gone, home.entry("a").version) == (False, 2)


def test_two_of_one_name_in_a_project(home: Home) -> None:
    """The one that was there first stays; the error names both places, and others are not concerned."""
    home.write(b=flow("etl"), c=flow("c"))
    home.deploy()
    home.write(a=flow("etl", body="return 2"))
    done = home.deploy()
    assert what(done) == {"c": "unchanged", "etl": "unchanged"}
    (problem,) = done.problems
    assert (problem.code, problem.file, problem.workflow) == ("W1610", "a.py", "etl")
    assert "b.py" in problem.what
    assert home.entry("etl").file == "b.py"


def test_two_of_one_name_in_a_file(home: Home) -> None:
    """The first one counts."""
    home.write(flows=flow() + "\n@flow(name='etl')\ndef other(): return 2\n")
    done = home.deploy()
    assert (what(done), codes(done)) == ({"etl": "new"}, {"flows.py": "W1610"})
    assert home.entry("etl").variable == "etl"


def test_two_of_one_name_in_two_projects(home: Home, tmp_path: Path) -> None:
    """The second project does not get it, unless the first one has given it up."""
    home.write(flows=flow())
    home.deploy()
    other = tmp_path / "other"
    other.mkdir()
    (other / "flows.py").write_text(flow(body="return 2") + "\n@flow\ndef own(): pass\n")
    done = home.deploy(other, name="other")
    assert (what(done), codes(done)) == ({"own": "new"}, {"flows.py": "W1610"})
    assert "'code'" in done.problems[0].what
    home.write(flows="import weft\n")
    home.deploy()
    assert what(home.deploy(other, name="other")) == {"etl": "back", "own": "unchanged"}
    assert home.entry("etl").project == "other"


def test_one_module_name_for_two_files(home: Home) -> None:
    """A worker could hold only one of them, so the second file is refused."""
    for name in ("a", "b"):
        home.put(f"{name}/helpers.py", f"X = '{name}'\n")
        home.put(f"{name}/flow.py", flow(name, top="import helpers"))
    done = home.deploy()
    assert (what(done), codes(done)) == ({"a": "new"}, {"b/flow.py": "W1614"})


def test_schedules_follow_the_code_and_keep_what_people_did(home: Home) -> None:
    """They come, change and go with the code; a pause stays."""
    dag = "@task\ndef t(): pass\n@dag(schedule=[{}])\ndef etl():\n    t()\n"
    dag = "from weft import cron, dag, every, task\n" + dag
    home.write(flows=dag.format("cron('0 6 * * *', name='early'), every('1h', name='often')"))
    home.deploy()
    found = {each.name: each for each in SCHEDULES.all(home.store)}
    assert list(found) == ["etl#early", "etl#often"]
    assert all(each.due_at is not None and each.due_at > home.now for each in found.values())
    early = found["etl#early"]
    paused = msgspec.structs.replace(early.value, paused=True, changed_by="me")
    SCHEDULES.save(home.store, early.name, paused, at=home.now)
    home.write(flows=dag.format("cron('0 7 * * *', name='early')"))
    home.deploy()
    (kept,) = SCHEDULES.all(home.store)
    assert (kept.name, kept.value.paused, kept.due_at) == ("etl#early", True, None)
    assert kept.value.schedule.timing.expression == "0 7 * * *"  # type: ignore[union-attr]


def test_schedules_of_what_is_gone_rest(home: Home) -> None:
    """They are not due until the workflow is back."""
    text = "@task\ndef t(): pass\n@dag(schedule=every('1h'))\ndef etl():\n    t()\n"
    text = "from weft import dag, every, task\n" + text
    home.write(flows=text)
    home.deploy()
    home.write(flows="import weft\n")
    home.deploy()
    (resting,) = SCHEDULES.all(home.store)
    assert resting.due_at is None
    home.write(flows=text)
    home.deploy()
    (back,) = SCHEDULES.all(home.store)
    assert back.due_at is not None


def test_a_dry_run_changes_nothing(home: Home) -> None:
    """It tells what a deploy would do."""
    home.write(flows=flow())
    assert what(home.deploy(dry_run=True)) == {"etl": "new"}
    assert home.store.records("workflow") == home.store.records("project") == []
    assert home.store.workflows() == []


def test_lone_tasks_only_if_asked(home: Home) -> None:
    """A task is a workflow only for who says so."""
    home.write(flows="from weft import task\n@task\ndef alone(n: int) -> int: return n\n")
    assert home.deploy().changes == ()
    assert what(home.deploy(tasks=True)) == {"alone": "new"}
    assert [each.name for each in home.entry("alone").params] == ["n"]


@pytest.mark.parametrize("name", ["a#b", "a@b", "a/b", " a", "a\\n", "x" * 300])
def test_names_that_records_could_not_have(home: Home, name: str) -> None:
    """They would be mistaken for something else."""
    home.write(flows=flow(options=f"(name='{name}')"))
    assert list(codes(home.deploy()).values()) == ["W1100"]


def test_a_change_meanwhile_is_seen(home: Home) -> None:
    """Somebody pauses the workflow during the deploy: the pause stays, and the deploy is made."""
    home.write(flows=flow())
    home.deploy()
    home.write(flows=flow(body="return 2"))
    write, done = home.store.write, []

    def meddle(writes: list[Write], *, at: float) -> list[int]:
        if not done:
            done.append(1)
            home.workflows.pause("etl", by="you")
        return write(writes, at=at)

    home.store.write = meddle  # type: ignore[method-assign,assignment]
    home.deploy()
    assert (home.entry("etl").paused, home.entry("etl").version, done) == (True, 2, [1])


def test_endless_conflict_is_told(home: Home) -> None:
    """After some tries the deploy gives up, and nothing was changed."""
    home.write(flows=flow())

    def refuse(writes: list[Write], *, at: float) -> list[int]:
        raise Conflict("no")

    home.store.write = refuse  # type: ignore[method-assign,assignment]
    with pytest.raises(Conflict):
        home.deploy()


def test_forgetting_leaves_nothing_but_runs(home: Home) -> None:
    """Workflow, versions and schedules go; another whose name begins the same stays."""
    home.write(flows=flow() + flow("etl2"))
    home.deploy()
    home.workflows.forget("etl")
    assert [each.name for each in WORKFLOWS.all(home.store)] == ["etl2"]
    assert [each.name for each in VERSIONS.all(home.store)] == ["etl2@00000001"]
    with pytest.raises(NotFound):
        home.workflows.forget("etl")
    assert what(home.deploy())["etl"] == "new"


def test_the_project_says_its_name_and_files(home: Home) -> None:
    """``weft.toml`` names the project and which files have its workflows."""
    home.put("weft.toml", 'name = "sales"\nworkflows = ["flows/*.py"]\n')
    home.put("flows/a.py", flow("a"))
    home.write(b=flow("b"))
    done = home.deploy(name="")
    assert (done.project, what(done)) == ("sales", {"a": "new"})


def test_a_broken_project_file_is_told(home: Home) -> None:
    """It is not taken for one that says nothing."""
    home.put("weft.toml", "name = \n")
    home.write(b=flow("b"))
    with pytest.raises(ProjectError):
        home.deploy(name="")


def test_a_revision_is_recorded(home: Home) -> None:
    """Project and version know the commit that they came from."""
    home.write(flows=flow())
    git: list[Any] = ["git", "-c", "user.name=me", "-c", "user.email=m@example.org", "-C", str(home.code)]
    for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "one"]):
        subprocess.run([*git, *words], check=True)
    commit = subprocess.run(
        [*git, "rev-parse", "HEAD"], capture_output=True, text=True, check=True
    ).stdout.strip()
    home.code = Path(f"{home.code}@HEAD")
    assert home.deploy().revision == commit
    assert versions(home)[0].revision == commit
