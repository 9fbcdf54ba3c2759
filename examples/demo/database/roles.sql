-- The cluster's roles. shop_backup is what the backups log in as: a plain role that owns nothing and may read everything.
CREATE ROLE shop_owner;
CREATE ROLE shop_app LOGIN;
CREATE ROLE shop_support;
CREATE ROLE shop_backup LOGIN BYPASSRLS IN ROLE pg_read_all_data;
