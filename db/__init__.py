"""The schema: one Piccolo app for each room, migrations that load `.sql` files, all in one transaction."""
