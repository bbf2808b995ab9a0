import { jsonc } from "../../src/clients/jsonc.ts";
import type { Finding } from "../../src/detect/finding.ts";
import type { KnownSecret } from "../../src/migrate/places.ts";
import { makePlan, type Plan, type PlanInput } from "../../src/migrate/plan.ts";

export const LAUNCHER = { command: "/home/u/.mcp-secrets/bin/mcp-secrets", args: [] };

/** Says where in a config a secret stands: `[pointer, text, more]`. */
export type Spot = readonly [pointer: string, secret: string, more?: Partial<Finding>];

export function inputOf(config: string, spots: readonly Spot[], client = "claude-desktop"): PlanInput {
  const document = jsonc.parse(Buffer.from(config), ["mcpServers"]);
  const entries = document.entries.map((entry) => {
    const texts = [entry.command, ...entry.args, ...entry.env, ...entry.headers, entry.url];
    const findings = spots.flatMap(([pointer, secret, more]) => {
      const place = texts.find((text) => text?.pointer === pointer);
      if (place === undefined) return [];
      const start = place.text.indexOf(secret);
      return [findingAt(entry.server, pointer, start, start + secret.length, more)];
    });
    return { entry, findings };
  });
  return { path: "/c.json", client, interpolates: false, entries };
}

export function planOf(config: string, spots: readonly Spot[], known: readonly KnownSecret[] = []): Plan {
  return makePlan([inputOf(config, spots)], known, { store: "local", launcher: LAUNCHER });
}

/** The config as the plan's edits make it. */
export function rewritten(config: string, plan: Plan): string {
  return jsonc.edit(Buffer.from(config), plan.configs[0]?.edits ?? []).toString();
}

function findingAt(server: string, pointer: string, start: number, end: number, more: Partial<Finding> = {}): Finding {
  return {
    server,
    pointer,
    start,
    end,
    place: pointer.includes("/env/") ? "env" : "arg",
    kind: "password",
    confidence: "high",
    reason: "test",
    name: pointer.split("/").at(-1) ?? "",
    encoded: false,
    ...more,
  };
}
