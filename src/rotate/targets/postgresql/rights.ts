import type { Query } from "./connection.ts";

/** How many rights that are missing are named. */
const MOST = 20;

/**
 * What a session of the role `old` in this database may do, and the session that asks may not; in words, none where it
 * may do as much. Compared are the roles that sessions act as (`ALTER ROLE … SET role`), with their attributes, settings,
 * memberships, what they own, and what is granted on the database, schemas, tables, columns, sequences and functions.
 */
export async function missingRights(query: Query, old: string): Promise<readonly string[]> {
  const [pair] = await query(PAIR, [old]);
  if (pair === undefined || pair["old"] === null) return [];
  if (pair["superuser"] === true) return ["superuser"];
  const roles = [pair["old"], pair["new"]];
  const missing = [await query(SETTINGS, [old])];
  if (pair["old"] !== pair["new"]) missing.push(await query(ATTRIBUTES, roles));
  // Who inherits a role has all that was granted to it, and may do what an owner may.
  if (pair["inherits"] !== true) missing.push(await query(OBJECTS, roles));
  const names = missing.flat().map((row) => String(row["missing"]));
  return names.length <= MOST ? names : [...names.slice(0, MOST), "and more"];
}

/** The roles that the old login and this one act as. A setting for this database goes before one for all. */
const PAIR = `
  with login as (select oid from pg_catalog.pg_roles where rolname = $1),
  setting as (
    select substr(entry, 6) as role
    from pg_catalog.pg_db_role_setting, unnest(setconfig) entry
    where setrole = (select oid from login) and entry like 'role=%'
      and setdatabase in (0, (select oid from pg_catalog.pg_database where datname = current_database()))
    order by setdatabase desc limit 1
  ),
  pair as (
    select
      coalesce((select oid from pg_catalog.pg_roles where rolname = (select role from setting)), (select oid from login))
        as old,
      (select oid from pg_catalog.pg_roles where rolname = current_user) as new
  )
  select old, new, pg_has_role(new, old, 'USAGE') as inherits,
    (select rolsuper from pg_catalog.pg_roles where oid = old)
      and not (select rolsuper from pg_catalog.pg_roles where oid = new) as superuser
  from pair`;

const SETTINGS = `
  with entry as (
    select rolname, entry
    from pg_catalog.pg_db_role_setting join pg_catalog.pg_roles r on r.oid = setrole, unnest(setconfig) entry
    where entry not like 'role=%' and rolname in ($1, session_user)
      and setdatabase in (0, (select oid from pg_catalog.pg_database where datname = current_database()))
  )
  select 'setting ' || split_part(entry, '=', 1) as missing from entry where rolname = $1
    and entry not in (select entry from entry where rolname = session_user)
  order by 1`;

const ATTRIBUTES = `
  select missing from pg_catalog.pg_roles o, pg_catalog.pg_roles n, lateral (values
    ('CREATEDB', o.rolcreatedb, n.rolcreatedb), ('CREATEROLE', o.rolcreaterole, n.rolcreaterole),
    ('REPLICATION', o.rolreplication, n.rolreplication), ('BYPASSRLS', o.rolbypassrls, n.rolbypassrls)
  ) attribute (missing, had, has)
  where o.oid = $1 and n.oid = $2 and had and not has
  union all
  select 'membership in ' || quote_ident(rolname) from pg_catalog.pg_roles r
  where r.oid <> $1 and pg_has_role($1::oid, r.oid, 'MEMBER') and not pg_has_role($2::oid, r.oid, 'MEMBER')`;

const OBJECTS = `
  with object as (
    select 'ownership of objects' as what, true as had, false as has from pg_catalog.pg_shdepend
    where refclassid = 'pg_catalog.pg_authid'::regclass and refobjid = $1 and deptype = 'o'
      and dbid in (0, (select oid from pg_catalog.pg_database where datname = current_database()))
    union
    select p || ' on database ' || quote_ident(datname),
      has_database_privilege($1::oid, oid, p), has_database_privilege($2::oid, oid, p)
    from pg_catalog.pg_database, unnest(array['CONNECT', 'CREATE', 'TEMPORARY']) p where datname = current_database()
    union all
    select p || ' on schema ' || quote_ident(nspname),
      has_schema_privilege($1::oid, oid, p), has_schema_privilege($2::oid, oid, p)
    from pg_catalog.pg_namespace, unnest(array['USAGE', 'CREATE']) p where nspname !~ '^pg_(toast|temp)'
    union all
    select p || ' on ' || c.oid::regclass,
      has_table_privilege($1::oid, c.oid, p), has_table_privilege($2::oid, c.oid, p)
    from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = relnamespace,
      unnest(array['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER']) p
    where relkind in ('r', 'p', 'v', 'm', 'f') and nspname !~ '^pg_(toast|temp)'
    union all
    select p || ' on sequence ' || c.oid::regclass,
      has_sequence_privilege($1::oid, c.oid, p), has_sequence_privilege($2::oid, c.oid, p)
    from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = relnamespace,
      unnest(array['USAGE', 'SELECT', 'UPDATE']) p
    where relkind = 'S' and nspname !~ '^pg_(toast|temp)'
    union all
    select p || ' on column ' || attrelid::regclass || '.' || quote_ident(attname),
      has_column_privilege($1::oid, attrelid, attnum, p), has_column_privilege($2::oid, attrelid, attnum, p)
    from pg_catalog.pg_attribute, unnest(array['SELECT', 'INSERT', 'UPDATE', 'REFERENCES']) p
    where attacl is not null and not has_table_privilege($1::oid, attrelid, p)
    union all
    select 'EXECUTE on function ' || oid::regprocedure,
      has_function_privilege($1::oid, oid, 'EXECUTE'), has_function_privilege($2::oid, oid, 'EXECUTE')
    from pg_catalog.pg_proc where proacl is not null
  )
  select what as missing from object where had and not has order by 1 limit ${MOST + 1}`;
