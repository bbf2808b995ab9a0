import { journalOf } from "../core/journal.ts";
import type { Fields, Provider, ResolveRequest } from "../core/provider.ts";
import { type SecretRef, formatRef } from "../core/ref.ts";
import { Secret } from "../core/secret.ts";
import { UserError } from "../errors.ts";
import { isState } from "./shape.ts";
import type { HeldValues, Phase, RotationState } from "./state.ts";

/**
 * The journal of a rotation: a secret beside the secret, in the same store, written with the store's compare-and-swap.
 * The field `state` holds no value and is JSON; each further field holds the fields of one value, as JSON too.
 */
export interface Journal {
  readonly state: RotationState;
  readonly values: HeldValues;
  /** Of the journal itself. */
  readonly version: number;
}

/** What was found: nothing, a journal, or something that only a person can judge. */
export type Found = { readonly type: "none" } | ({ readonly type: "journal" } & Journal) | Damage;

interface Damage {
  readonly type: "damaged";
  readonly reason: string;
  readonly check: string;
}

/** What a rotation needs of a store. */
export type RotationStore = Provider & Required<Pick<Provider, "read" | "put">>;

export interface JournalPlace {
  readonly provider: RotationStore;
  readonly ref: SecretRef;
}

const VERSION = 1;
const HELD = ["candidate", "current", "previous", "quarantine"] as const;

/** @throws UserError of the store */
export async function readJournal({ provider, ref }: JournalPlace, request: ResolveRequest): Promise<Found> {
  const path = journalOf(ref.path);
  try {
    const found = await provider.read(path, request);
    return found === undefined ? { type: "none" } : parseJournal(ref, found);
  } catch (error) {
    const kept = error instanceof UserError && (error.code === "secret-deleted" || error.code === "secret-corrupt");
    if (!kept) throw error;
    // A journal is never stored anew by hand.
    const hint = error.hint?.includes("mcp-secrets set") === true ? undefined : error.hint;
    const copy = hint === undefined ? "" : ` (a copy of it may help: ${hint})`;
    return { type: "damaged", reason: error.message, check: `${checkText(ref)}${copy}` };
  }
}

/**
 * Writes the journal over `version`, 0 for none, and returns its new version.
 * @throws UserError secret-exists where somebody else wrote it
 */
export async function writeJournal(
  { provider, ref }: JournalPlace,
  { state, values, version }: Journal,
): Promise<Journal> {
  const held = HELD.flatMap((name) => {
    const fields = values[name];
    return fields === undefined ? [] : [[name, new Secret(formatFields(fields))] as const];
  });
  const text = new Secret(JSON.stringify({ v: VERSION, ...state }));
  const next = await provider.put(journalOf(ref.path), Object.fromEntries([["state", text], ...held]), {
    ifVersion: version,
  });
  return { state, values, version: next };
}

/** True where both hold the same fields with the same values. */
export function sameFields(a: Fields | undefined, b: Fields | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  const names = Object.keys(a);
  return names.length === Object.keys(b).length && names.every((name) => sameValue(a[name], b[name]));
}

function sameValue(a: Secret | undefined, b: Secret | undefined): boolean {
  return a !== undefined && b !== undefined && a.equals(b);
}

function parseJournal(ref: SecretRef, found: { readonly fields: Fields; readonly version: number }): Found {
  const { fields, version } = found;
  const damaged = (what: string, check = checkText(ref)): Damage => ({
    type: "damaged",
    reason: `the journal of ${formatRef(ref)} ${what}`,
    check,
  });
  const state = parseJson(fields["state"]);
  if (!isObject(state)) return damaged("cannot be read");
  if (typeof state["v"] === "number" && state["v"] > VERSION) {
    return damaged("is of a newer version of mcp-secrets", newerText(ref));
  }
  const { v: _v, ...rest } = state;
  if (_v !== VERSION || !isState(rest)) return damaged("says what this version does not know");
  const values = Object.fromEntries(HELD.map((name) => [name, parseFields(fields[name])]));
  const unread = HELD.find((name) => fields[name] !== undefined && values[name] === undefined);
  if (unread !== undefined) return damaged(`has a ${unread} that cannot be read`);
  const missing = NEEDED[rest.phase].find((name) => values[name] === undefined);
  if (missing !== undefined) return damaged(`is ${rest.phase} without a ${missing}`);
  return { type: "journal", state: rest, values: Object.fromEntries(definedOf(values)), version };
}

function definedOf(values: Readonly<Record<string, Fields | undefined>>) {
  return Object.entries(values).filter(([, fields]) => fields !== undefined);
}

/** Without which a phase cannot be. */
const NEEDED: Readonly<Record<Phase, readonly ("candidate" | "current")[]>> = {
  idle: [],
  claimed: ["current"],
  minting: ["current"],
  pending: ["candidate", "current"],
  setting: ["candidate", "current"],
  set: ["candidate", "current"],
  tested: ["candidate", "current"],
  promoted: ["candidate", "current"],
  draining: ["candidate", "current"],
  retiring: ["candidate", "current"],
  rollback: ["candidate", "current"],
  stuck: [],
};

function checkText(ref: SecretRef): string {
  const journal = formatRef({ store: ref.store, path: journalOf(ref.path) });
  return `see which value logs in: that of the secret, or one of those in ${journal}; store it with mcp-secrets set, then remove the journal with mcp-secrets rm ${journal}`;
}

/** Nothing is wrong with it: whoever wrote it goes on with it. */
function newerText(ref: SecretRef): string {
  return `go on with the newer version of mcp-secrets; only where there is none any more, ${checkText(ref)}`;
}

function formatFields(fields: Fields): string {
  return JSON.stringify(Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, value.expose()])));
}

function parseFields(text: Secret | undefined): Fields | undefined {
  const value = parseJson(text);
  if (!isObject(value)) return undefined;
  const entries = Object.entries(value).map(([name, field]) =>
    typeof field === "string" ? ([name, new Secret(field)] as const) : undefined,
  );
  return entries.includes(undefined) ? undefined : Object.fromEntries(entries.filter((entry) => entry !== undefined));
}

function parseJson(text: Secret | undefined): unknown {
  try {
    return JSON.parse(text?.expose() ?? "");
  } catch {
    return undefined;
  }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
