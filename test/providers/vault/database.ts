import type { OpenBao } from "../../servers/openbao.ts";
import type { Postgres } from "../../servers/postgres.ts";

const CREATE = `CREATE ROLE "{{name}}" WITH LOGIN PASSWORD '{{password}}' VALID UNTIL '{{expiration}}'; GRANT pg_read_all_data TO "{{name}}";`;

/** Makes the database engine of `bao` hand out roles of `postgres` at `database/creds/NAME`. */
export async function connectDatabase(bao: OpenBao, postgres: Postgres): Promise<void> {
  await bao.call("POST", "sys/mounts/database", { type: "database" });
  await bao.call("POST", "database/config/pg", {
    plugin_name: "postgresql-database-plugin",
    allowed_roles: ["*"],
    connection_url: `postgresql://{{username}}:{{password}}@127.0.0.1:${postgres.port}/postgres?sslmode=disable`,
    username: postgres.user,
    password: postgres.password,
  });
}

export async function makeRole(
  bao: OpenBao,
  name: string,
  settings: Readonly<Record<string, unknown>> = {},
): Promise<void> {
  const role = { db_name: "pg", default_ttl: "60s", max_ttl: "5m", creation_statements: [CREATE], ...settings };
  await bao.call("POST", `database/roles/${name}`, role);
}

/** Ids of the live leases of a role. */
export async function leasesOf(bao: OpenBao, name: string): Promise<string[]> {
  const path = `database/creds/${name}`;
  const { status, body } = await bao.call("LIST", `sys/leases/lookup/${path}/`, undefined, { loose: true });
  const keys: readonly string[] = status === 404 ? [] : body.data.keys;
  return keys.map((key) => `${path}/${key}`);
}

/** Accessors of the live tokens whose metadata names this launch. */
export async function tokensOf(bao: OpenBao, launch: string): Promise<string[]> {
  return (await launchTokens(bao)).filter(([, id]) => id === launch).map(([accessor]) => accessor);
}

/** Accessors of the live tokens of every launch. */
export async function liveTokens(bao: OpenBao): Promise<string[]> {
  return (await launchTokens(bao)).map(([accessor]) => accessor);
}

async function launchTokens(bao: OpenBao): Promise<[accessor: string, launch: string][]> {
  const { body } = await bao.call("LIST", "auth/token/accessors");
  const looked = await Promise.all(
    (body.data.keys as string[]).map(async (accessor): Promise<[string, unknown]> => {
      const found = await bao.call("POST", "auth/token/lookup-accessor", { accessor }, { loose: true });
      return [accessor, found.body?.data?.meta?.launch];
    }),
  );
  return looked.filter((each): each is [string, string] => typeof each[1] === "string");
}
