from db.sqlfile import sql_migration

ID = "work_queue_0003_mandates"
forwards = sql_migration(__file__, "0005_mandates.sql")
