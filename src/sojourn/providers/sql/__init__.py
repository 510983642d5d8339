"""Providers that keep sessions in a SQL table: MySQL and MariaDB, PostgreSQL, SQLite."""

from sojourn.providers.sql.mysql import AsyncMySQLProvider as AsyncMySQLProvider
from sojourn.providers.sql.mysql import MySQLProvider as MySQLProvider
from sojourn.providers.sql.postgres import AsyncPostgresProvider as AsyncPostgresProvider
from sojourn.providers.sql.postgres import PostgresProvider as PostgresProvider
from sojourn.providers.sql.sqlite import SQLiteProvider as SQLiteProvider
