import { journalOf } from "../core/journal.ts";
import type { Fields, Provider, ResolveRequest } from "../core/provider.ts";
import { type SecretRef, formatRef } from "../core/ref.ts";
import { UserError } from "../errors.ts";
import { type Found, type Journal, type RotationStore, readJournal, sameFields, writeJournal } from "./journal.ts";
import { type RotatedSecret, type RotationSettings, wholeName } from "./settings.ts";
import { type RotationState, rotationId } from "./state.ts";

/**
 * A rotated secret that goes to another store. Of two copies only one may be rotated: where the issuer ends the old value,
 * the other copy is dead. So the journal at the old place is closed by a compare-and-swap before anything refers to the
 * new one, and the settings follow last: a kill in between leaves a secret that nobody rotates, and never two that are.
 */

/** One copy of the secret. */
export interface Side {
  readonly provider: Provider;
  readonly ref: SecretRef;
}

export interface Sides {
  readonly from: Side;
  readonly to: Side;
}

/** Whether anybody rotates it; and why it cannot move now. */
export type Movable = { readonly rotated: boolean } | { readonly stays: string };

/**
 * Changes nothing.
 * @throws UserError of the stores, where they do not answer
 */
export async function judgeMove(
  { from, to }: Sides,
  settings: RotationSettings,
  request: ResolveRequest,
): Promise<Movable> {
  const own = settingsOf(settings, from.ref);
  const found = await journalAt(from, own, request);
  if (own === undefined && found.type === "none") return { rotated: false };
  const stays =
    settingsStay(settings, { from, to }, own) ??
    journalStays(found, { from, to }, own) ??
    (await targetStays(to, request));
  return stays === undefined ? { rotated: true } : { stays };
}

/** Whoever may not read the journal of a secret that these settings do not name does not rotate it. */
async function journalAt({ provider, ref }: Side, own: RotatedSecret | undefined, request: ResolveRequest) {
  const store = storeOf(provider);
  if (store === undefined) return { type: "none" } as const;
  try {
    return await readJournal({ provider: store, ref }, request);
  } catch (error) {
    if (own !== undefined || !(error instanceof UserError) || error.code !== "store-denied") throw error;
    return { type: "none" } as const;
  }
}

function settingsStay(
  settings: RotationSettings,
  { from, to }: Sides,
  own: RotatedSecret | undefined,
): string | undefined {
  if (own === undefined) return undefined;
  if (own.target === "native") return "its own store rotates it (target native), and no other one could";
  if (settingsOf(settings, to.ref) === undefined) return undefined;
  return `config.jsonc has settings for the rotation of ${wholeName(from.ref)} and of ${wholeName(to.ref)}: remove one`;
}

function journalStays(found: Found, { from, to }: Sides, own: RotatedSecret | undefined): string | undefined {
  if (found.type === "none") return undefined;
  const name = wholeName(from.ref);
  if (found.type === "damaged") return `${found.reason}: mcp-secrets rotate ${name} says more`;
  const { phase, movedTo } = found.state;
  if (movedTo === wholeName(to.ref)) return undefined;
  if (movedTo !== undefined) return `it is rotated as ${movedTo}, where it was moved to: refer to that`;
  if (phase !== "idle") return `a rotation of it is under way (${phase}): end it first with mcp-secrets rotate ${name}`;
  if (own !== undefined || from.ref.store === "local") return undefined;
  return `another machine rotates it, as its journal says: a copy in store ${to.ref.store} would end with its next rotation`;
}

async function targetStays({ provider, ref }: Side, request: ResolveRequest): Promise<string | undefined> {
  const store = storeOf(provider);
  if (store === undefined) return `nothing can be rotated in store ${ref.store}`;
  try {
    for (const path of [ref.path, journalOf(ref.path)]) await provider.checkRetention?.(path, request);
    const found = await readJournal({ provider: store, ref }, request);
    if (found.type === "damaged") return found.reason;
    if (found.type === "none" || isClosed(found) || found.state.phase === "idle") return undefined;
    return `a rotation of ${wholeName(ref)} is under way: end it first with mcp-secrets rotate ${wholeName(ref)}`;
  } catch (error) {
    if (!(error instanceof UserError) || !SAID_NO.has(error.code)) throw error;
    return error.message;
  }
}

const SAID_NO: ReadonlySet<string> = new Set(["refused", "store-denied"]);

export interface Carrying {
  readonly settings: RotationSettings;
  /** What was copied: what both sides hold. */
  readonly fields: Fields;
  readonly now: () => number;
  readonly random: () => string;
  readonly request: () => ResolveRequest;
}

/**
 * Closes the journal at the old place and opens it at the new one, with the state and the values that it keeps. Both hold
 * the secret already, and nothing refers to the new one. The same again does nothing.
 * @throws UserError config-changed where the secret was rotated meanwhile: plan again
 */
export async function carryRotation({ from, to }: Sides, carrying: Carrying): Promise<void> {
  const [source, target] = [writable(from), writable(to)];
  const made = (await source.describe?.(from.ref.path))?.updatedAt;
  const closed = await close({ provider: source, ref: from.ref }, to.ref, carrying);
  const there = await readJournal({ provider: target, ref: to.ref }, carrying.request());
  // One that rests there is of those who rotate it there.
  if (there.type === "damaged" || (there.type === "journal" && !isClosed(there))) return;
  const secret = await target.read(to.ref.path, carrying.request());
  if (secret === undefined || !sameFields(secret.fields, carrying.fields)) throw changed(to.ref);
  const { movedTo: _movedTo, stuck: _stuck, made: known, ...state } = closed.state;
  const at = known?.version === state.base ? known.at : made;
  const open: RotationState = {
    ...state,
    phase: "idle",
    deadline: 0,
    base: secret.version,
    ...(at !== undefined && { made: { version: secret.version, at } }),
  };
  const version = there.type === "journal" ? there.version : 0;
  await swap({ provider: target, ref: to.ref }, { state: open, values: closed.values, version });
}

/** True where the secret at `from` is no longer rotated because it is at `to`. @throws UserError of the store */
export async function isCarried(from: Side, to: SecretRef, request: ResolveRequest): Promise<boolean> {
  const provider = storeOf(from.provider);
  if (provider === undefined) return false;
  const found = await readJournal({ provider, ref: from.ref }, request);
  return found.type === "journal" && found.state.movedTo === wholeName(to);
}

interface Place {
  readonly provider: RotationStore;
  readonly ref: SecretRef;
}

async function close(from: Place, to: SecretRef, carrying: Carrying): Promise<Journal> {
  const { fields, now, request } = carrying;
  const found = await readJournal(from, request());
  const secret = await from.provider.read(from.ref.path, request());
  // In this order: a rotation that ends in between has written the journal, and the swap below is refused.
  if (found.type === "damaged" || secret === undefined || !sameFields(secret.fields, fields)) throw changed(from.ref);
  if (found.type === "journal" && found.state.movedTo === wholeName(to)) return found;
  if (found.type === "journal" && found.state.phase !== "idle") throw changed(from.ref);
  const old: Journal =
    found.type === "journal" ? found : { state: firstState(from.ref, carrying), values: {}, version: 0 };
  const stuck = { reason: `it moves to ${wholeName(to)}, and only one of two is rotated`, check: checkText(from, to) };
  const closing = { phase: "stuck", base: secret.version, deadline: now(), stuck, movedTo: wholeName(to) } as const;
  return swap(from, { ...old, state: { ...old.state, ...closing } });
}

/** Of a secret that was never rotated. */
function firstState(ref: SecretRef, { settings, now, random }: Carrying): RotationState {
  const target = settingsOf(settings, ref)?.target ?? "human";
  return { phase: "idle", id: rotationId(random()), target, startedAt: now(), deadline: 0, base: 0, attempt: 0 };
}

function checkText({ ref }: Place, to: SecretRef): string {
  return `end the move with mcp-secrets migrate --store ${to.store}, or, if ${wholeName(ref)} is to stay, see that nothing uses ${wholeName(to)}`;
}

async function swap(place: Place, journal: Journal): Promise<Journal> {
  try {
    return await writeJournal(place, journal);
  } catch (error) {
    if (!(error instanceof UserError) || error.code !== "secret-exists") throw error;
    throw changed(place.ref);
  }
}

function isClosed({ state }: Journal): boolean {
  return state.movedTo !== undefined;
}

function settingsOf({ secrets }: RotationSettings, ref: SecretRef): RotatedSecret | undefined {
  return secrets.find((secret) => wholeName(secret.ref) === wholeName(ref));
}

function storeOf(provider: Provider): RotationStore | undefined {
  const { read, put } = provider;
  return read === undefined || put === undefined ? undefined : { ...provider, read, put };
}

function writable({ provider, ref }: Side): RotationStore {
  const store = storeOf(provider);
  if (store !== undefined) return store;
  throw new UserError("refused", `nothing can be rotated in store ${ref.store}: ${wholeName(ref)}`);
}

function changed(ref: SecretRef): UserError {
  return new UserError("config-changed", `${formatRef(ref)} was changed while it was moved`, {
    hint: "run the same mcp-secrets migrate again",
  });
}
