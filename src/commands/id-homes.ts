import { placeOf } from "../clients/locate.ts";
import type { Context } from "../context.ts";
import { UserError } from "../errors.ts";
import type { Approval } from "../launch/approval.ts";
import type { IdHome } from "../migrate/ids.ts";
import { type ReadConfig, readConfig } from "../migrate/read.ts";
import { unwrap } from "../migrate/wrapper.ts";

/** Says where an id is approved and stands; each config is read once, and only where it is asked for. */
export function idHomes(context: Context, all: readonly Approval[]): (id: string) => IdHome | undefined {
  const approvals = new Map(all.map((approval) => [approval.id, approval]));
  const configs = new Map<string, ReadConfig | undefined>();
  const read = (config: string) => {
    if (!configs.has(config)) configs.set(config, readOrNothing(context, config));
    return configs.get(config);
  };
  return (id) => {
    const approval = approvals.get(id);
    if (approval === undefined) return undefined;
    const { config, pointer } = approval;
    const entry = read(config)?.document.entries.find((one) => one.pointer === pointer);
    return entry !== undefined && unwrap(entry)?.id === id ? { config, pointer } : undefined;
  };
}

function readOrNothing(context: Context, config: string): ReadConfig | undefined {
  try {
    return readConfig(placeOf(context, config, []), [], context.files);
  } catch (error) {
    if (error instanceof UserError) return undefined;
    throw error;
  }
}
