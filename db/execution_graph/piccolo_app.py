from db.sqlfile import room

APP_CONFIG = room(__file__, after=["role_registry"])
