-- The registry's two roles and its database; run by psql as superuser, again and again without harm.
-- The owner runs migrations and may make test databases. The application owns nothing and bypasses nothing, so that
-- row-level security binds it. Passwords come from psql variables, or else from the environment (containers).
\if :{?metaspine_owner_password}
\else
  \getenv metaspine_owner_password METASPINE_OWNER_PASSWORD
\endif
\if :{?metaspine_app_password}
\else
  \getenv metaspine_app_password METASPINE_APP_PASSWORD
\endif

SELECT format('CREATE ROLE %I', name) FROM unnest(ARRAY['metaspine_owner', 'metaspine_app']) AS name
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) \gexec

ALTER ROLE metaspine_owner LOGIN NOSUPERUSER CREATEDB NOCREATEROLE NOBYPASSRLS PASSWORD :'metaspine_owner_password';
ALTER ROLE metaspine_app LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS PASSWORD :'metaspine_app_password';

SELECT 'CREATE DATABASE metaspine OWNER metaspine_owner'
WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = 'metaspine') \gexec
