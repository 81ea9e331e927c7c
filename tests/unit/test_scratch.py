"""What a throw-away database must not be used for."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from flask_sakyum_migrate.scratch import reaches_others


@pytest.mark.parametrize(
    ("text", "reaches"),
    [
        ("op.create_table('exam', schema='other')", True),
        ("op.create_table('exam', schema = other)", True),
        ("op.batch_alter_table('exam', schema=None)", False),
        ("op.batch_alter_table('exam', schema = None)", False),
        ("op.batch_alter_table('exam', schema=\n  None)", False),
    ],
)
def test_a_revision_with_a_schema(text: str, reaches: bool) -> None:
    engine = sa.create_engine("mysql+pymysql://root@127.0.0.1/test")
    assert (reaches_others(engine, text) is not None) is reaches
