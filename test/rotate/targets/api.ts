import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { expect } from "vitest";
import type { Fields } from "../../../src/core/provider.ts";
import { parseRef } from "../../../src/core/ref.ts";
import { Secret } from "../../../src/core/secret.ts";
import { UserError } from "../../../src/errors.ts";
import { createHttp } from "../../../src/io/http.ts";
import type { RotationRequest, TargetOptions } from "../../../src/rotate/target.ts";

/** What targets that are met over HTTP are tested with: the real transport, and one secret. */

export const REF = parseRef("mcp-secret://local/app/key");

export function apiOptions(settings: unknown, others: Readonly<Record<string, Fields>> = {}): TargetOptions {
  return {
    settings,
    ref: REF,
    lookUp: async ({ path }) => {
      const found = others[path];
      if (found === undefined) throw new UserError("secret-not-found", `no ${path}`);
      return found;
    },
    now: Date.now,
    random: (count) => randomBytes(count),
    http: createHttp(Date.now),
    readFile: (path) => readFileSync(path),
    native: undefined,
  };
}

export function rotation(current: Fields, more: Partial<RotationRequest> = {}): RotationRequest {
  return { id: "a".repeat(26), ref: REF, current, deadline: Date.now() + 20_000, ...more };
}

export function fields(values: Readonly<Record<string, string>>): Fields {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, new Secret(value)]));
}

export function shown(secret: Fields): Record<string, string> {
  return Object.fromEntries(Object.entries(secret).map(([name, value]) => [name, value.expose()]));
}

/** The UserError that `work` ends in. */
export async function failureOf(work: Promise<unknown>): Promise<UserError> {
  try {
    await work;
  } catch (error) {
    if (error instanceof UserError) return error;
    throw error;
  }
  return expect.unreachable("it did not fail");
}
