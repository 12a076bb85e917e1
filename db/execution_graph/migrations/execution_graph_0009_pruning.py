from db.sqlfile import sql_migration

ID = "execution_graph_0009_pruning"
forwards = sql_migration(__file__, "0009_pruning.sql")
