-- Whether sessions like this one are ended when they are idle, but for what was set in this one. (The setting came with 14.)
SELECT EXISTS (SELECT FROM pg_catalog.pg_settings s WHERE s.name = 'idle_session_timeout' AND s.reset_val <> '0')
