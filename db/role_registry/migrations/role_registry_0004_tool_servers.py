from db.sqlfile import sql_migration

ID = "role_registry_0004_tool_servers"
forwards = sql_migration(__file__, "0004_tool_servers.sql")
