import { UserError } from "../../src/errors.ts";
import type { Reply } from "./failure.ts";

/** Reads an answer's JSON, which nobody vouches for: only own members, and only of the type that is asked for. */
export type Json = Readonly<Record<string, unknown>>;

/** The object under `name` of the answer's body. @throws UserError store-answer where there is none */
export function objectIn(store: string, reply: Reply, name: string): Json {
  const found = asObject(member(asObject(reply.body), name));
  if (found === undefined) throw malformed(store, reply);
  return found;
}

export function malformed(store: string, reply: Reply): UserError {
  return new UserError(
    "store-answer",
    `store ${store}: ${reply.what}: the answer is not of the shape that Vault gives`,
    {
      hint: `mcp-secrets store check ${store}`,
    },
  );
}

export function asObject(value: unknown): Json | undefined {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? { ...value } : undefined;
}

export function member(object: Json | undefined, name: string): unknown {
  return object !== undefined && Object.hasOwn(object, name) ? object[name] : undefined;
}

export function textOf(object: Json | undefined, name: string): string | undefined {
  const value = member(object, name);
  return typeof value === "string" && value !== "" ? value : undefined;
}

/** A number from 0 on. */
export function numberOf(object: Json | undefined, name: string): number | undefined {
  const value = member(object, name);
  return typeof value === "number" && value >= 0 ? value : undefined;
}

export function flagOf(object: Json | undefined, name: string): boolean {
  return member(object, name) === true;
}

export function textsOf(object: Json | undefined, name: string): string[] {
  const value = member(object, name);
  return Array.isArray(value) ? value.filter((each): each is string => typeof each === "string") : [];
}
