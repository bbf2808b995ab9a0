import { inParallel } from "../core/parallel.ts";
import type { Fields, Provider, ResolveRequest } from "../core/provider.ts";
import { fieldOf, formatRef, type SecretRef } from "../core/ref.ts";
import { type ErrorCode, UserError } from "../errors.ts";
import { type Destination, type HeldRef, secretOf } from "./move.ts";
import { firstFree } from "./names.ts";
import type { KnownSecret, Origin } from "./places.ts";

/** Secrets that go from one store to another: how they are found and given a place. `copy.ts` copies them. */

/** A secret as a whole, and where it goes. References here have no field. */
export interface Relocation {
  readonly from: SecretRef;
  readonly to: SecretRef;
  readonly fields: Fields;
  /** Of the source, where it counts them: another one by the time of the copy is another secret. */
  readonly version?: number;
  /** True where it is there already, from a run before this one. */
  readonly known: boolean;
  readonly origin: Origin;
}

export interface RelocationPlan {
  readonly relocations: readonly Relocation[];
  /** By `secretOf`: every secret that a held reference reads. */
  readonly destinations: ReadonlyMap<string, Destination>;
}

export interface RelocationPorts {
  /** The name of the store that they go to. */
  readonly store: string;
  /** @throws UserError store-unknown */
  readonly open: (store: string) => Promise<Provider>;
  /** Where a secret came from, when it was moved here from that store before. */
  readonly cameFrom: (secret: SecretRef) => SecretRef | undefined;
  readonly request: () => ResolveRequest;
}

/** What is said of one secret only: it stays, and the others move. */
const OF_ONE_SECRET: ReadonlySet<ErrorCode> = new Set([
  "refused",
  "config-invalid",
  "reference-invalid",
  "secret-not-found",
  "secret-deleted",
  "secret-corrupt",
  "store-denied",
  "store-unknown",
]);

/**
 * Reads each secret once, whole, and finds its place. Nothing is written, and nothing is asked for that a store would
 * make only then (a lease).
 * @throws UserError where a store does not answer
 */
export async function planRelocations(held: readonly HeldRef[], ports: RelocationPorts): Promise<RelocationPlan> {
  const target = await ports.open(ports.store);
  const sources = await inParallel(groups(held), (group) => readSource(group, target, ports));
  const taken = new Set<string>();
  const placed = await inParallel(sources, async (source) => {
    return "left" in source ? source : place(source, target, { ...ports, taken });
  });
  return {
    relocations: placed.flatMap((one) => ("left" in one ? [] : [one])),
    destinations: new Map(
      placed.map((one) => [secretOf(one.from), "left" in one ? { left: one.left } : { to: one.to }]),
    ),
  };
}

/** All references to one secret; where it was found first is where it is from. */
interface Group {
  readonly from: SecretRef;
  readonly refs: readonly SecretRef[];
  readonly origin: Origin;
}

type Source = Omit<Relocation, "to" | "known"> & { readonly wanted: string };
type Left = Pick<Group, "from"> & { readonly left: string };

function groups(held: readonly HeldRef[]): Group[] {
  const found = new Map<string, { from: SecretRef; refs: SecretRef[]; origin: Origin }>();
  for (const { ref, client, server } of held) {
    const key = secretOf(ref);
    const group = found.get(key);
    if (group !== undefined) group.refs.push(ref);
    else found.set(key, { from: { store: ref.store, path: ref.path }, refs: [ref], origin: { client, server } });
  }
  return [...found.values()];
}

async function readSource(
  { from, refs, origin }: Group,
  target: Provider,
  ports: RelocationPorts,
): Promise<Source | Left> {
  return orLeft(from, async () => {
    const provider = await ports.open(from.store);
    const whole = await readWhole(provider, from, ports.request());
    const missing = refs.find((ref) => whole === undefined || !Object.hasOwn(whole.fields, fieldOf(ref)));
    if (whole === undefined || missing !== undefined)
      return { from, left: `the store has no ${formatRef(missing ?? from)}` };
    return { from, origin, ...whole, wanted: wantedPath(from, provider, target, ports) };
  });
}

async function orLeft<T>(from: SecretRef, work: () => Promise<T | Left>): Promise<T | Left> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof UserError) || !OF_ONE_SECRET.has(error.code)) throw error;
    return { from, left: error.message };
  }
}

/**
 * Every field of a secret; undefined where it is not there.
 * @throws UserError refused where the path is none that is stored, as the role of a database
 */
async function readWhole(
  provider: Provider,
  { store, path }: SecretRef,
  request: ResolveRequest,
): Promise<Pick<Relocation, "fields" | "version"> | undefined> {
  if (provider.describe === undefined) throw new UserError("refused", `secrets of store ${store} cannot be moved`);
  const summary = await provider.describe(path);
  if (summary === undefined) return undefined;
  const refs = summary.fields.map((field) => ({ store, path, field }));
  const read = await provider.resolve(refs, request);
  const version = read[0]?.version;
  return {
    fields: Object.fromEntries(read.map(({ ref, value }) => [fieldOf(ref), value])),
    ...(version !== undefined && { version }),
  };
}

interface Placing extends RelocationPorts {
  /** Paths of this plan in lower case: some file systems do not tell the two apart. */
  readonly taken: Set<string>;
}

/** The first place that is free, or that holds just this secret already. */
async function place(source: Source, target: Provider, placing: Placing): Promise<Relocation | Left> {
  const { wanted, ...secret } = source;
  return orLeft(secret.from, async () => {
    for (;;) {
      const path = firstFree(wanted, (candidate) => !placing.taken.has(candidate.toLowerCase()));
      placing.taken.add(path.toLowerCase());
      const to = { store: placing.store, path };
      const there = await readWhole(target, to, placing.request());
      if (there === undefined || sameFields(there.fields, secret.fields)) {
        return { ...secret, to, known: there !== undefined };
      }
    }
  });
}

/** Back where it came from; else under its own path, in the folder that new secrets of the store have. */
function wantedPath(from: SecretRef, source: Provider, target: Provider, ports: RelocationPorts): string {
  const before = ports.cameFrom(from);
  if (before?.store === ports.store) return before.path;
  const inside = source.folder !== undefined && from.path.startsWith(`${source.folder}/`);
  const path = inside ? from.path.slice(source.folder.length + 1) : from.path;
  return target.folder === undefined ? path : `${target.folder}/${path}`;
}

function sameFields(a: Fields, b: Fields): boolean {
  const names = Object.keys(a);
  if (names.length !== Object.keys(b).length) return false;
  return names.every((name) => {
    const [mine, other] = [a[name], Object.hasOwn(b, name) ? b[name] : undefined];
    return mine !== undefined && other !== undefined && mine.equals(other);
  });
}

/** As secrets that the store has by the time configs are rewritten: a plaintext of the same value gets the reference. */
export function knownAfter(relocations: readonly Relocation[]): KnownSecret[] {
  return relocations.flatMap(({ to: { path }, fields }) =>
    Object.entries(fields).map(([field, value]) => ({ path, field, value })),
  );
}
