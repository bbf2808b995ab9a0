import type { Context } from "../context.ts";
import type { Provider, ResolveRequest } from "../core/provider.ts";
import { inParallel } from "../core/parallel.ts";
import { type SecretRef, parseRef } from "../core/ref.ts";
import { note, told } from "../core/told.ts";
import { UserError } from "../errors.ts";
import type { Migration } from "../migrate/journal.ts";
import { type Destination, movedText, secretOf } from "../migrate/move.ts";
import type { Relocation, RelocationPlan } from "../migrate/relocate.ts";
import { carryRotation, isCarried, judgeMove } from "../rotate/moving.ts";
import { type RotationSettings, parseRotation } from "../rotate/settings.ts";
import { pathOf, readMember, withTexts } from "../settings.ts";
import { oldCopies } from "./old-copies.ts";

/** What `migrate` does about the rotation of secrets that go to another store: journal and settings go along. */

export interface RotationPorts {
  readonly open: (store: string) => Promise<Provider>;
  readonly request: () => ResolveRequest;
}

export interface JudgedMoves extends RelocationPlan {
  /** Those of the relocations whose rotation goes along. */
  readonly rotated: readonly Relocation[];
}

/** The moves without those that the rotation of the secret forbids now. @throws UserError as the stores do */
export async function judgeMoves(context: Context, plan: RelocationPlan, ports: RotationPorts): Promise<JudgedMoves> {
  if (plan.relocations.length === 0) return { ...plan, rotated: [] };
  const settings = settingsOf(context);
  const judged = await inParallel(plan.relocations, async (relocation) => {
    return { relocation, how: await judgeMove(await sidesOf(relocation, ports), settings, ports.request()) };
  });
  const staying = judged.flatMap(({ relocation, how }) => ("stays" in how ? [[relocation, how.stays] as const] : []));
  const rotated = judged.flatMap(({ relocation, how }) => ("rotated" in how && how.rotated ? [relocation] : []));
  return withoutMoves({ ...plan, rotated }, new Map(staying));
}

/** What is said of each stays where it is. */
function withoutMoves<T extends JudgedMoves>(moves: T, stays: ReadonlyMap<Relocation, string>): T {
  const left = [...stays].map(([{ from }, why]): [string, Destination] => [secretOf(from), { left: why }]);
  return {
    ...moves,
    relocations: moves.relocations.filter((one) => !stays.has(one)),
    rotated: moves.rotated.filter((one) => !stays.has(one)),
    destinations: new Map([...moves.destinations, ...left]),
  };
}

/**
 * The moves without the rotated secrets that others go on referring to: only one copy is rotated, and the other is dead
 * from then on. `instead` has the bytes that configs will have.
 */
export function movesTogether<T extends JudgedMoves>(
  context: Context,
  moves: T,
  instead: () => ReadonlyMap<string, Buffer>,
): T {
  if (moves.rotated.length === 0) return moves;
  const kept = referrersOf(context, moves.rotated, instead());
  const stays = moves.rotated.flatMap((relocation): [Relocation, string][] => {
    const files = kept.get(secretOf(relocation.from)) ?? [];
    const why = `it is rotated, which would end the copy that ${files.join(", ")} refers to: move those in the same run`;
    return files.length === 0 ? [] : [[relocation, why]];
  });
  return stays.length === 0 ? moves : withoutMoves(moves, new Map(stays));
}

/** After the secrets were copied, before anything refers to the copies. @throws UserError config-changed */
export async function carryRotations(
  context: Context,
  rotated: readonly Relocation[],
  ports: RotationPorts,
): Promise<void> {
  const settings = settingsOf(context);
  const { now, random } = context;
  await inParallel(rotated, async (relocation) => {
    const sides = await sidesOf(relocation, ports);
    await carryRotation(sides, { settings, fields: relocation.fields, now, random, request: ports.request });
  });
}

/**
 * When the configs refer to the new places: leads `rotation` of `config.jsonc` there, of this run and of one that was
 * killed before it came to this. A secret that some config still refers to at its old place waits, unrotated.
 */
export async function finishRotations(
  context: Context,
  migrations: readonly Migration[],
  ports: RotationPorts,
): Promise<void> {
  const carried = await carriedOf(context, migrations, ports);
  if (carried.length === 0) return;
  const kept = referrersOf(context, carried);
  const free = carried.filter(({ from }) => kept.get(secretOf(from))?.length === 0);
  for (const { from, to } of carried) {
    const files = kept.get(secretOf(from)) ?? [];
    if (files.length === 0) continue;
    const text = `${secretOf(from)} is not rotated until ${files.join(", ")} refers to ${secretOf(to)} instead`;
    context.terminal.err(told("warning", text, `mcp-secrets migrate --store ${to.store}`));
  }
  await leadSettings(context, free);
  for (const { from, to } of free)
    context.terminal.err(note(`${secretOf(from)} is rotated as ${secretOf(to)} from now on`));
}

/** True where a run that was killed has left such settings. */
export function mayHaveMovedRotations(context: Context, migrations: readonly Migration[]): boolean {
  return pairsOf(context, migrations).length > 0;
}

interface Pair {
  readonly from: SecretRef;
  readonly to: SecretRef;
}

/** What was moved, as the migrations say, and what the settings still name at its old place. */
function pairsOf(context: Context, migrations: readonly Migration[]): Pair[] {
  if (migrations.every(({ moves = [] }) => moves.length === 0)) return [];
  const named = new Set(namedSecrets(context));
  const moves = migrations.flatMap(({ moves: made = [] }) => made.filter(([from]) => named.has(from)));
  const pairs = new Map(moves.map(([from, to]) => [`${from} ${to}`, { from: parseRef(from), to: parseRef(to) }]));
  return [...pairs.values()];
}

/** None where the settings are wrong: `doctor` tells of it, and a migration of plaintext goes on. */
function namedSecrets(context: Context): readonly string[] {
  try {
    return settingsOf(context).secrets.map(({ ref }) => secretOf(ref));
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return [];
  }
}

async function carriedOf(context: Context, migrations: readonly Migration[], ports: RotationPorts): Promise<Pair[]> {
  const checked = await inParallel(pairsOf(context, migrations), async (pair) => {
    const side = { provider: await ports.open(pair.from.store), ref: pair.from };
    return (await isCarried(side, pair.to, ports.request())) ? [pair] : [];
  });
  return checked.flat();
}

/** By the secret: the files that refer to it. Of our own settings only the stores count: the rotation goes along. */
function referrersOf(
  context: Context,
  pairs: readonly Pair[],
  instead: ReadonlyMap<string, Buffer> = new Map(),
): ReadonlyMap<string, readonly string[]> {
  const stores = Buffer.from(JSON.stringify(readMember(context, "stores") ?? {}));
  const own: [string, Buffer][] = hasSettings(context) ? [[realSettings(context), stores]] : [];
  const secrets = pairs.map(({ from }) => secretOf(from));
  const copies = oldCopies(context, secrets, new Map([...instead, ...own]));
  return new Map(copies.map(({ reference, referredBy }) => [reference, referredBy]));
}

async function leadSettings(context: Context, pairs: readonly Pair[]): Promise<void> {
  const { files } = context;
  for (let attempt = 1; attempt <= ATTEMPTS; attempt += 1) {
    const edited = withTexts(context, "rotation", renaming(pairs));
    if (edited === undefined) return;
    const path = realSettings(context);
    const replaced = await files.replace(path, edited.after, edited.before);
    if (replaced.done && replaced.lost === undefined) return;
    // Somebody wrote in the moment of the rename: theirs goes back, and is edited.
    if (replaced.done && replaced.lost !== undefined) await files.replace(path, replaced.lost, edited.after);
  }
  throw new UserError("config-changed", `${pathOf(context)} was changed by another program meanwhile`, {
    hint: "run the same mcp-secrets migrate again",
  });
}

const ATTEMPTS = 5;

function renaming(pairs: readonly Pair[]): (text: string) => string {
  const destinations = new Map(pairs.map(({ from, to }): [string, Destination] => [secretOf(from), { to }]));
  return (text) => movedText(text, destinations);
}

function hasSettings(context: Context): boolean {
  return context.files.look(pathOf(context)) !== undefined;
}

function realSettings(context: Context): string {
  return context.files.realpath(pathOf(context));
}

async function sidesOf({ from, to }: Pair, { open }: RotationPorts) {
  const [source, target] = await Promise.all([open(from.store), open(to.store)]);
  return { from: { provider: source, ref: from }, to: { provider: target, ref: to } };
}

function settingsOf(context: Context): RotationSettings {
  return parseRotation(readMember(context, "rotation"));
}
