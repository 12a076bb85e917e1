from db.sqlfile import sql_migration

ID = "role_registry_0005_book_budgets"
forwards = sql_migration(__file__, "0005_book_budgets.sql")
