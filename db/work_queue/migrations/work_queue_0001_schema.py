from db.sqlfile import sql_migration

ID = "work_queue_0001_schema"
forwards = sql_migration(__file__, "0001_schema.sql", "0002_pgqueuer.sql", "0003_queue_grants.sql")
