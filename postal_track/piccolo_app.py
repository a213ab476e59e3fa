"""The one Piccolo app: every table of ours and of `sms`, one line of migrations."""

from pathlib import Path

from piccolo.conf.apps import AppConfig, table_finder

APP_CONFIG = AppConfig(
    app_name="postal_track",
    migrations_folder_path=Path(__file__).resolve().parents[1] / "migrations",
    table_classes=table_finder(
        [
            "postal_track.tables",
            "postal_track.day_tables",
            "postal_track.estimate_tables",
            "postal_track.citizen_tables",
            "postal_track.money_tables",
            "sms.tables",
        ],
        exclude_imported=True,
    ),
)
