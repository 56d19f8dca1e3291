#!/bin/sh
# Temporal's two databases, at the server's version. SQL_HOST, SQL_PORT, SQL_USER, SQL_PASSWORD and
# SQL_PLUGIN are read by the tool. Every step passes when there is nothing left to do.
set -eu

prepare() {
    temporal-sql-tool --db "$1" create-database
    temporal-sql-tool --db "$1" setup-schema --version 0.0
    temporal-sql-tool --db "$1" update-schema --schema-dir "/etc/temporal/schema/postgresql/v12/$2/versioned"
}

prepare temporal temporal
prepare temporal_visibility visibility
