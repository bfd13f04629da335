-- Two roles for the database of tables: one that writes them, one that reads them. Neither can do anything else here.
-- As a superuser, in the database of tables, which is empty:
--   psql -v ON_ERROR_STOP=1 -v writer_password=SECRET -v reader_password=OTHER -f docs/deployment/roles.sql "$ADMIN_URL"
-- MLOPS_DATABASE_URL is postgresql://mlops_writer:SECRET@host/name of code servers and run workers, and that of mlops_reader
-- wherever forecasts are only shown (`serve` without write tokens, `show`, notebooks, BI tools).

CREATE ROLE mlops_writer LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION PASSWORD :'writer_password';
CREATE ROLE mlops_reader LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION PASSWORD :'reader_password';
-- A mistake is refused before rights are asked; whoever means it can switch this off, and then has no right.
ALTER ROLE mlops_reader SET default_transaction_read_only = on;

REVOKE ALL ON DATABASE :"DBNAME" FROM PUBLIC;
GRANT CONNECT ON DATABASE :"DBNAME" TO mlops_writer, mlops_reader;
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE, CREATE ON SCHEMA public TO mlops_writer;
GRANT USAGE ON SCHEMA public TO mlops_reader;

-- Tables come and go with forecasts: what the writer makes, the reader may read.
ALTER DEFAULT PRIVILEGES FOR ROLE mlops_writer IN SCHEMA public GRANT SELECT ON TABLES TO mlops_reader;

-- Where tables are there already, made by another role:
--   REASSIGN OWNED BY that_role TO mlops_writer;
--   GRANT SELECT ON ALL TABLES IN SCHEMA public TO mlops_reader;
