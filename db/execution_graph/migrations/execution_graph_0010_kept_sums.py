from db.sqlfile import sql_migration

ID = "execution_graph_0010_kept_sums"
forwards = sql_migration(__file__, "0010_kept_sums.sql")
