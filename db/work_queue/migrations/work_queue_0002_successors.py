from db.sqlfile import sql_migration

ID = "work_queue_0002_successors"
forwards = sql_migration(__file__, "0004_successors.sql")
