from db.sqlfile import sql_migration

ID = "execution_graph_0006_continued_runs"
forwards = sql_migration(__file__, "0006_continued_runs.sql")
