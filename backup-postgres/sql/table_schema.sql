SELECT EXISTS (SELECT FROM pg_catalog.pg_namespace n WHERE n.nspname = $1) AS there,
       pg_catalog.has_database_privilege(pg_catalog.current_database(), 'CREATE') AS may_create,
       current_user::pg_catalog.text AS role, pg_catalog.current_database()::pg_catalog.text AS database
