<%!
def does_something(text):
    lines = (line.strip() for line in (text or "").splitlines())
    return any(line and line != "pass" and not line.startswith("#") for line in lines)
%>\
"""${message}

Revision ID: ${up_revision}
Revises: ${down_revision or 'base' | comma,n}
Create Date: ${create_date}

"""

import sqlalchemy as sa
from alembic import op
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
    # One pair of functions more for each bind that has something to do.
    texts = context.kwargs
    suffixes = [
        name[:-len("_upgrades")] for name in texts
        if name.endswith("_upgrades") and does_something(texts[name])
    ]
%>\
% for suffix in suffixes:


def upgrade_${suffix}() -> None:
    ${texts[suffix + "_upgrades"]}


def downgrade_${suffix}() -> None:
    ${texts[suffix + "_downgrades"]}
% endfor
