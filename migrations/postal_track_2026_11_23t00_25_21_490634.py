from piccolo.apps.migrations.auto.migration_manager import MigrationManager

ID = "2026-11-23T00:25:21:490634"
VERSION = "1.38.0"
DESCRIPTION = "True"


async def forwards():
    manager = MigrationManager(
        migration_id=ID, app_name="postal_track", description=DESCRIPTION
    )

    manager.drop_column(
        table_class_name="Line",
        tablename="sms_line",
        column_name="strikes",
        db_column_name="strikes",
        schema=None,
    )

    return manager
