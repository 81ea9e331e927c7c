"""${message}

Revision ID: ${up_revision}
Revises: ${down_revision | comma,n}
Create Date: ${create_date}

"""
from alembic import op
import sqlalchemy as sa
${imports if imports else ""}
# revision identifiers, used by Alembic.
revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = ${repr(branch_labels)}
depends_on = ${repr(depends_on)}


def upgrade() -> None:
    ${upgrades if upgrades else "pass"}


def downgrade() -> None:
    ${downgrades if downgrades else "pass"}
<%
    ## one pair of functions more for each bind that has something to do
    texts = context.kwargs
    suffixes = [
        name[:-len("_upgrades")] for name in texts
        if name.endswith("_upgrades") and (
            texts[name] != "pass" or texts.get(name[:-len("_upgrades")] + "_downgrades") != "pass"
        )
    ]
%>\
% for suffix in suffixes:


def upgrade_${suffix}() -> None:
    ${texts[suffix + "_upgrades"]}


def downgrade_${suffix}() -> None:
    ${texts[suffix + "_downgrades"]}
% endfor
