import type { Context } from "../context.ts";
import { formatDuration } from "../core/duration.ts";
import type { SecretSummary } from "../core/provider.ts";
import { formatRef } from "../core/ref.ts";
import { formatTable } from "../core/table.ts";
import { EXIT } from "../errors.ts";
import { configuredStores, openStore } from "../stores.ts";

export interface ListOptions {
  readonly json?: boolean;
}

interface Listed extends Omit<SecretSummary, "path"> {
  readonly reference: string;
}

const HEAD = ["REFERENCE", "FIELDS", "VERSION", "AGE"];

/** `list`: what is stored, never a value. Ends with 1 where something stored cannot be read. */
export async function runList(context: Context, options: ListOptions): Promise<number> {
  const stores = await configuredStores(context);
  const listed = (await Promise.all(stores.map(({ name }) => listStore(context, name)))).flat();
  if (options.json === true) context.terminal.out(asJson(listed));
  else context.terminal.out(asText(listed, context.now()));
  return listed.some(({ problem }) => problem !== undefined) ? EXIT.findings : EXIT.ok;
}

async function listStore(context: Context, store: string): Promise<Listed[]> {
  const provider = await openStore(context, store);
  const summaries = (await provider.list?.()) ?? [];
  return summaries.map(({ path, ...summary }) => ({ reference: formatRef({ store, path }), ...summary }));
}

function asJson(listed: readonly Listed[]): string {
  const secrets = listed.map(({ reference, fields, version, updatedAt, problem }) =>
    problem === undefined
      ? { reference, fields, version, updatedAt: new Date(updatedAt).toISOString() }
      : { reference, problem },
  );
  return `${JSON.stringify({ schema: "mcp-secrets/list/1", secrets }, undefined, 2)}\n`;
}

function asText(listed: readonly Listed[], now: number): string {
  if (listed.length === 0) return "nothing is stored\n";
  const rows = listed.map(({ reference, fields, version, updatedAt, problem }) =>
    problem === undefined
      ? [reference, fields.join(" "), String(version), formatDuration(now - updatedAt)]
      : [reference, `(${problem})`, "", ""],
  );
  return formatTable(HEAD, rows);
}
