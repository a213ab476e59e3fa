from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.constraints import Check

ID = "2026-11-23T00:51:37:358740"
VERSION = "1.38.0"
DESCRIPTION = "What was taken is not sent again"


async def forwards():
    manager = MigrationManager(
        migration_id=ID, app_name="postal_track", description=DESCRIPTION
    )

    manager.add_constraint(
        table_class_name="Message",
        tablename="sms_message",
        constraint_name="taken_once",
        constraint_class=Check,
        params={
            "condition": "provider_id IS NULL OR status NOT IN ('queued','sending')"
        },
        schema=None,
    )

    return manager
