from db.sqlfile import sql_migration

ID = "execution_graph_0001_schema"
forwards = sql_migration(__file__, "0001_schema.sql")
