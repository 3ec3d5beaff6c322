#!/bin/sh
# One database per service with an owner (migrations) and an application role, as in
# deploy/embedded/databases.py. Run once by the image's entry point, on an empty data directory;
# safe to run again. Passwords are read from files, never from the environment.
set -eu

secrets="${HUANYING_SECRETS:-/run/secrets}"

for service in customer segmentation campaign evaluation; do
  psql --quiet --no-psqlrc --set ON_ERROR_STOP=1 \
    --username "${POSTGRES_USER:-postgres}" --dbname postgres \
    --set database="$service" \
    --set owner="${service}_owner" --set app="${service}_app" \
    --set owner_password="$(cat "$secrets/${service}_owner_password")" \
    --set app_password="$(cat "$secrets/${service}_app_password")" <<'SQL'
SELECT format('CREATE ROLE %I', name)
  FROM (VALUES (:'owner'), (:'app')) AS wanted (name)
 WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) \gexec
ALTER ROLE :"owner" LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS PASSWORD :'owner_password';
ALTER ROLE :"app" LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS PASSWORD :'app_password';
SELECT format('CREATE DATABASE %I OWNER %I', :'database', :'owner')
 WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = :'database') \gexec
REVOKE ALL ON DATABASE :"database" FROM PUBLIC;
GRANT CONNECT, TEMPORARY ON DATABASE :"database" TO :"app";
SQL
done
