"""Where Piccolo's own commands find the database and the tables.

Nothing is opened or started here: the first query does that.
"""

from piccolo.conf.apps import AppRegistry

from postal_track.database import engine

DB = engine()

APP_REGISTRY = AppRegistry(apps=["postal_track.piccolo_app"])
