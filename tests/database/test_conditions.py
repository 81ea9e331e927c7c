"""CHECK constraints whose condition differs from that of the model."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
import sqlalchemy as sa

from flask_sakyum_migrate.autogenerate.constraints import conditions
from tests.conftest import Project, ProjectMaker
from tests.database.changing import Models, Story, ran, rows, settled, table, up_down_up

ADULT = "age >= 18"
REFUSED = (sa.exc.IntegrityError, sa.exc.OperationalError)


def people(*checks: Any, more: bool = False) -> Models:
    """Return a model of people with these CHECK constraints.

    :param checks: conditions without a name, pairs of a name and a condition, or constraints.
    :param more: there is a column more.
    """

    def models(db: Any) -> None:
        # What is equal is left out of the comparison, but for one table: the first by its name.
        table(db, "animal", sa.Column("name", sa.String(50)))
        made = [
            one
            if isinstance(one, sa.CheckConstraint)
            else sa.CheckConstraint(one)
            if isinstance(one, str)
            else sa.CheckConstraint(one[1], name=one[0])
            for one in (check() if callable(check) else check for check in checks)
        ]
        table(
            db,
            "person",
            sa.Column("age", sa.Integer),
            sa.Column("name", sa.String(50)),
            *([sa.Column("nick", sa.String(50))] if more else []),
            *made,
        )

    return models


@pytest.fixture
def story(make_project: ProjectMaker, bind_url: str) -> Story:
    return Story(make_project, bind_url)


def refused(project: Project, age: int) -> bool:
    """Tell whether the database refuses a person of an age; nobody stays."""
    try:
        rows(project, f"INSERT INTO person (age, name) VALUES ({age}, 'x')")
    except REFUSED:
        return True
    rows(project, "DELETE FROM person")
    return False


def assert_nothing_differs(project: Project, how: str) -> None:
    """Make the tables by a revision or by ``create_all()``; assert that no CHECK differs."""
    if how == "migrate":
        ran(project, "migrate")
        ran(project, "upgrade")
    else:
        with project.app.app_context():
            project.db.create_all()
        ran(project, "baseline")
    settled(project)
    assert "CHECK" not in project.flask("check").output


EQUAL = {
    "plain": ("age>=18",),
    "named": (("ck_adult", ADULT),),
    "both": (("ck_adult", "age >= 18 AND age < 150 OR name = 'it''s 100%'"),),
    "list": (("ck_name", "name IN ('a:b', 'c', 'd%')"),),
    "functions": (("ck_name", "length(name) > 3"), ("ck_like", "name NOT LIKE 'x%'")),
    "between": ("age BETWEEN 1 AND 200", "age is null or age <> 7"),
    "twice": (ADULT, "age < 150", "age < 150"),
    "columns": (lambda: sa.CheckConstraint(sa.column("age") + 1 > 5, name="ck_sum"),),
}


@pytest.mark.parametrize("what", EQUAL)
@pytest.mark.parametrize("how", ["create_all", "migrate"])
def test_nothing_differs(story: Story, what: str, how: str) -> None:
    models = people(*EQUAL[what])
    project = story.with_models(models)
    assert_nothing_differs(project, how)


CHANGES = {
    "new, with a name": ((), (("ck_adult", ADULT),)),
    "new, without one": ((), (ADULT,)),
    "two more": (("age < 150",), ("age < 150", ADULT, "age <> 33")),
    "another condition": ((("ck_adult", "age >= 5"),), (("ck_adult", ADULT),)),
    "another condition and name": ((), (("ck_b", ADULT), ("ck_a", "length(name) > 0"))),
}


@pytest.mark.parametrize("what", CHANGES)
def test_a_change_is_made(story: Story, what: str) -> None:
    before, after = CHANGES[what]
    project = story.upgraded(people(*before))
    assert not refused(project, 17)
    project = story.with_models(people(*after))
    assert project.flask("check").exit_code == 1
    ran(project, "migrate")
    ran(project, "upgrade")
    settled(project)
    assert refused(project, 17)
    assert not refused(project, 19)
    ran(project, "downgrade")
    assert not refused(project, 17)
    ran(project, "upgrade")
    settled(project)
    assert refused(project, 17)
    assert not refused(project, 19)


def test_another_condition_without_a_name(story: Story, bind_url: str) -> None:
    project = story.upgraded(people("age >= 5"))
    project = story.with_models(people(ADULT))
    check = project.flask("check")
    if bind_url.startswith("sqlite"):  # nothing has a name by which it could be dropped
        assert check.exit_code == 0
        assert "(age >= 5) in the database and (age >= 18) in the models" in check.output
        return
    assert check.exit_code == 1
    ran(project, "migrate")
    ran(project, "upgrade")
    settled(project)
    assert refused(project, 17)
    up_down_up(project)


def test_what_only_the_database_has_is_left(story: Story) -> None:
    story.upgraded(people(("ck_adult", ADULT)))
    project = story.with_models(people())
    check = project.flask("check")
    assert check.exit_code == 0
    assert "Left alone: CHECK ck_adult of person, which the models do not have." in check.stderr
    assert "flask db migrate --drop person.ck_adult" in check.stderr
    ran(project, "migrate", "--drop", "person.ck_adult")
    ran(project, "upgrade")
    settled(project)
    assert not refused(project, 17)
    ran(project, "downgrade")
    assert refused(project, 16)


def test_a_check_of_a_new_column(story: Story) -> None:
    story.upgraded(people())
    project = story.upgraded(people(("ck_nick", "nick <> name"), "nick <> 'x'", more=True))
    settled(project)
    up_down_up(project)
    with pytest.raises(REFUSED):
        rows(project, "INSERT INTO person (name, nick) VALUES ('a', 'a')")


def test_a_check_of_a_renamed_table(story: Story) -> None:
    def state(name: str, condition: str, **options: Any) -> Models:
        def models(db: Any) -> None:
            table(
                db,
                name,
                sa.Column("age", sa.Integer),
                sa.Column("name", sa.String(50)),
                sa.CheckConstraint(condition, name="ck_adult"),
                sa.CheckConstraint("name <> 'x'", name="ck_name"),
                **options,
            )

        return models

    renamed = {"info": {"renamed_from": "human"}}
    story.upgraded(state("human", "age > 5"))
    project = story.upgraded(state("person", ADULT, **renamed))
    settled(project)
    assert "ck_name" not in story.newest
    up_down_up(project)
    rows(project, "INSERT INTO person (age, name) VALUES (18, 'y')")
    with pytest.raises(REFUSED):
        rows(project, "INSERT INTO person (age, name) VALUES (17, 'y')")


def test_a_column_goes_that_a_check_spoke_of(story: Story) -> None:
    story.upgraded(people(("ck_name", "name <> nick"), ("ck_nick", "nick <> 'x'"), more=True))
    project = story.with_models(people(("ck_name", "name <> 'x'")))
    ran(project, "migrate", "--drop", "person.nick")
    ran(project, "upgrade")
    settled(project)
    assert refused(project, 5)
    up_down_up(project)


def test_a_check_of_a_renamed_column(story: Story) -> None:
    def renamed(db: Any) -> None:
        table(
            db,
            "person",
            sa.Column("years", sa.Integer, info={"renamed_from": "age"}),
            sa.Column("name", sa.String(50)),
            sa.CheckConstraint("years >= 18", name="ck_adult"),
        )

    story.upgraded(people(("ck_adult", ADULT)))
    project = story.upgraded(renamed)
    assert "check_constraint" not in story.newest
    settled(project)
    up_down_up(project)


@pytest.mark.parametrize(
    "condition",
    [
        "length(name) > 3 AND age > 5",
        "age <> '-1'",
        "name IN ('a', 'b') AND name <> '1' AND age IN (1, 2)",
        "age + 1 > '3' AND name NOT LIKE 'a%'",
    ],
)
def test_a_check_on_a_column_of_another_type(story: Story, condition: str) -> None:
    def wider(db: Any) -> None:
        table(
            db,
            "person",
            sa.Column("age", sa.BigInteger),
            sa.Column("name", sa.Text),
            sa.CheckConstraint(condition, name="ck_name"),
        )

    story.upgraded(people(("ck_name", condition)))
    project = story.upgraded(wider)
    assert "check_constraint" not in story.newest
    settled(project)
    up_down_up(project)


@pytest.mark.parametrize(
    ("convention", "name", "made"),
    [
        ("ck_%(table_name)s_%(constraint_name)s", "adult", "ck_person_adult"),
        ("ck_%(table_name)s_%(column_0_name)s", None, "ck_person_age"),
    ],
)
def test_names_of_a_convention(story: Story, convention: str, name: str | None, made: str) -> None:
    def state(limit: int) -> Models:
        def models(db: Any) -> None:
            db.metadata.naming_convention = {"ck": convention}
            age = sa.Column("age", sa.Integer)
            table(db, "person", age, sa.Column("name", sa.String(9)))
            if limit:
                person = db.metadata.tables["person"]
                person.append_constraint(sa.CheckConstraint(age > limit, name=name))

        return models

    story.upgraded(state(0))
    for limit in (17, 20):
        project = story.upgraded(state(limit))
        settled(project)
        assert made in story.newest
        assert refused(project, limit)
        up_down_up(project)


def test_beside_a_constraint_without_a_name(story: Story) -> None:
    def models(db: Any) -> None:
        table(db, "animal", sa.Column("name", sa.String(50)))
        key: Any = sa.Column("age", sa.ForeignKey("animal.id"))
        table(db, "person", key, sa.Column("name", sa.String(50)))

    story.upgraded(models)
    project = story.upgraded(people(ADULT))
    assert "drop_constraint" in story.newest
    settled(project)
    assert refused(project, 17)


def test_rows_that_do_not_fit_are_told(story: Story) -> None:
    project = story.upgraded(people())
    rows(project, "INSERT INTO person (age) VALUES (3), (20), (4), (NULL)")
    project = story.with_models(people(("ck_adult", ADULT)))
    output = ran(project, "migrate").stderr
    assert "2 rows do not fit ck_adult of person (age >= 18): the upgrade stops on them" in output


def test_types_and_other_databases_bring_their_own(story: Story) -> None:
    def models(db: Any) -> None:
        elsewhere = sa.CheckConstraint("age ~ 5").ddl_if(dialect="oracle")
        table(
            db,
            "person",
            sa.Column("age", sa.Integer),
            sa.Column("open", sa.Boolean(create_constraint=True, name="ck_open")),
            sa.Column("kind", sa.Enum("a", "b", name="kind", create_constraint=True)),
            sa.Column("body", sa.JSON),
            elsewhere,
        )

    project = story.with_models(models)
    with project.app.app_context():
        checks = project.db.metadata.tables["person"].constraints
        special = [one for one in checks if isinstance(one, sa.CheckConstraint)]
        assert len(special) == 3
        assert all(map(conditions._is_special, special))
        assert not conditions._is_special(sa.CheckConstraint("age > 5"))
        project.db.create_all()
    ran(project, "baseline")
    settled(project)
    assert "CHECK" not in project.flask("check").output


@pytest.mark.parametrize("how", ["create_all", "migrate"])
def test_a_check_that_stands_at_its_column(story: Story, how: str) -> None:
    named = "ck_name" if how == "migrate" else None  # MariaDB takes no name there

    def models(db: Any) -> None:
        table(
            db,
            "person",
            sa.Column("age", sa.Integer, sa.CheckConstraint("age >= 18 AND age <> 33")),
            sa.Column("name", sa.String(50), sa.CheckConstraint("name <> ''", name=named)),
        )

    project = story.with_models(models)
    assert_nothing_differs(project, how)
    assert refused(project, 17)


def test_filters_are_asked(make_project: ProjectMaker, bind_url: str) -> None:
    def include_name(name: Any, kind: str, parents: Any) -> bool:
        if kind == "check_constraint":
            assert parents["table_name"] == "person"
        return str(name) != "ck_theirs"

    def include_object(item: Any, name: Any, kind: str, *more: Any) -> bool:
        return str(name) != "ck_ours"

    Story(make_project, bind_url).upgraded(people(("ck_theirs", "age > 5")))
    filters = {"include_name": include_name, "include_object": include_object}
    story = Story(make_project, bind_url, **filters)
    project = story.with_models(people(("ck_ours", ADULT)))
    ran(project, "stamp", "--purge")
    check = project.flask("check")
    assert check.exit_code == 0, check.output
    assert "CHECK" not in check.output


@pytest.mark.parametrize("kind", ["postgresql", "mariadb"])
def test_a_user_who_may_not_make_temporary_tables(
    make_project: ProjectMaker, make_database: Any, kind: str
) -> None:
    url = sa.make_url(make_database(kind))
    story = Story(make_project, url.render_as_string(hide_password=False))
    models = people(("ck_a", "length(name) > 3"), ("ck_b", "name IN ('a', 'b')"))
    project = story.upgraded(models)
    name, user = url.database, f"u{uuid.uuid4().hex[:8]}"
    give, take = GRANTS[kind]
    with project.engine().connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for one in give:
            connection.exec_driver_sql(one.format(user=user, name=name))
        try:
            limited = url.set(username=user, password="x", query={})
            again = make_project(
                limited.render_as_string(hide_password=False),
                models=models,
                folder="limited",
                directory=project.path / "migrations",
            )
            check = again.flask("check")
            assert check.exit_code == 0, check.output
            assert "CHECK" not in check.output
        finally:
            again.engine().dispose()
            for one in take:
                connection.exec_driver_sql(one.format(user=user, name=name))


GRANTS = {
    "postgresql": (
        [
            "CREATE ROLE {user} LOGIN PASSWORD 'x'",
            "REVOKE TEMPORARY ON DATABASE {name} FROM PUBLIC",
            "GRANT SELECT ON ALL TABLES IN SCHEMA public TO {user}",
        ],
        ["DROP OWNED BY {user}", "DROP ROLE {user}"],
    ),
    "mariadb": (
        [
            "CREATE USER {user}@'%%' IDENTIFIED BY 'x'",
            "GRANT SELECT ON {name}.* TO {user}@'%%'",
        ],
        ["DROP USER {user}@'%%'"],
    ),
}


def test_other_schemas_of_postgresql(make_project: ProjectMaker, make_database: Any) -> None:
    def models(limit: int) -> Models:
        def models(db: Any) -> None:
            db.Table(
                "person",
                sa.Column("id", sa.Integer, primary_key=True),
                sa.Column("age", sa.Integer),
                sa.CheckConstraint(f"age > {limit}", name="ck_age"),
                schema="hr",
            )

        return models

    story = Story(make_project, make_database("postgresql"))
    story.upgraded(models(5))
    project = story.upgraded(models(18))
    settled(project)
    up_down_up(project)
    rows(project, "INSERT INTO hr.person (age) VALUES (19)")


@pytest.mark.parametrize("after", ["age >= '18'", "age <> '50'"])
def test_a_check_on_a_column_that_becomes_a_text(
    make_project: ProjectMaker, bind_url: str, after: str
) -> None:
    def state(type_: Any, condition: str) -> Models:
        def models(db: Any) -> None:
            check = sa.CheckConstraint(condition, name="ck_age")
            table(db, "person", sa.Column("age", type_), sa.Column("name", sa.String(9)), check)

        return models

    story = Story(make_project, bind_url)
    project = story.upgraded(state(sa.Integer, "age >= '18'"))
    rows(project, "INSERT INTO person (age) VALUES (19)")
    project = story.upgraded(state(sa.String(20), after))
    settled(project)
    up_down_up(project)
