import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import type { Fields } from "../../../src/core/provider.ts";
import { Secret } from "../../../src/core/secret.ts";
import type { RotationRequest, TargetOptions } from "../../../src/rotate/target.ts";

/** What a target's test shares: the secret it rotates, as it would be handed to it. */

const REF = { store: "local", path: "db/app" };

export function fieldsOf(fields: Readonly<Record<string, string>>): Fields {
  return Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, new Secret(value)]));
}

/** The values of fields, for comparisons. */
export function exposed(fields: Fields): Record<string, string> {
  return Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, value.expose()]));
}

/** `secrets`: other secrets, by path in the local store. */
export function optionsOf(
  settings: unknown,
  secrets: Readonly<Record<string, Readonly<Record<string, string>>>> = {},
): TargetOptions {
  return {
    settings,
    ref: REF,
    lookUp: async ({ path }) => fieldsOf(secrets[path] ?? {}),
    now: Date.now,
    random: randomBytes,
    readFile: (path) => readFileSync(path),
    http: async () => {
      throw new Error("a database is not met over HTTP");
    },
    native: undefined,
  };
}

export function requestOf(current: Fields, more: Partial<Omit<RotationRequest, "current">> = {}): RotationRequest {
  return { id: "abcdefghij0123456789klmnop", ref: REF, current, deadline: Date.now() + 20_000, ...more };
}
