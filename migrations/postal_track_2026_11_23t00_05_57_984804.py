from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.columns.column_types import Varchar
from piccolo.columns.indexes import IndexMethod
from piccolo.constraints import Check

ID = "2026-11-23T00:05:57:984804"
VERSION = "1.38.0"
DESCRIPTION = "Further legs, bags"


async def forwards():
    manager = MigrationManager(
        migration_id=ID, app_name="postal_track", description=DESCRIPTION
    )

    manager.add_column(
        table_class_name="Item",
        tablename="item",
        column_name="bag",
        db_column_name="bag",
        column_class_name="Varchar",
        column_class=Varchar,
        params={
            "length": 13,
            "default": None,
            "null": True,
            "primary_key": False,
            "unique": False,
            "index": False,
            "index_method": IndexMethod.btree,
            "choices": None,
            "db_column_name": None,
            "secret": False,
        },
        schema=None,
    )

    manager.drop_constraint(
        table_class_name="Item",
        tablename="item",
        constraint_name="item_known_leg",
        schema=None,
    )

    manager.drop_constraint(
        table_class_name="Item",
        tablename="item",
        constraint_name="item_one_of_a_leg",
        schema=None,
    )

    manager.add_constraint(
        table_class_name="Item",
        tablename="item",
        constraint_name="item_leg_of_ours",
        constraint_class=Check,
        params={
            "condition": "leg IN ('dossier','result','supplement','bring_back','old_papers','slip','transfer')"
        },
        schema=None,
    )

    return manager
