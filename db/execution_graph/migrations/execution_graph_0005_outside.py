from db.sqlfile import sql_migration

ID = "execution_graph_0005_outside"
forwards = sql_migration(__file__, "0005_outside.sql")
