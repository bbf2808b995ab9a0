import { journalOf } from "../../src/core/journal.ts";
import type { Files } from "../../src/core/files.ts";
import type { Fields, Provider } from "../../src/core/provider.ts";
import { Secret } from "../../src/core/secret.ts";
import { UserError } from "../../src/errors.ts";
import { rotateSecret } from "../../src/rotate/engine.ts";
import type { RotationOptions } from "../../src/rotate/options.ts";
import type { Outcome } from "../../src/rotate/outcome.ts";
import type { EngineTarget } from "../../src/rotate/claim.ts";
import type { Verdict } from "../../src/rotate/target.ts";

/**
 * A rotation in a world of its own: store, target and disk are plain data, the engine is the real one. At each call that
 * leaves the process a script decides what happens; whatever it does not name goes well. After every change of the world
 * the invariants are looked at.
 */

/**
 * `lost`: it is done, and there is no answer. `pause…`: the process stands still before or after it is done, for longer
 * than its claim, and another one rotates meanwhile.
 */
export const EVENTS = [
  "fine",
  "unreachable",
  "lost",
  "refused",
  "crashBefore",
  "crashAfter",
  "pauseBefore",
  "pauseAfter",
] as const;
export type Event = (typeof EVENTS)[number];

/** `family`: to show the old value after a mint ends the new one too. */
export const KINDS = ["set-O", "set-X", "mint-O", "mint-X", "mint-family", "human"] as const;
export type Kind = (typeof KINDS)[number];

/** What happens at the n-th call, by n. */
export type Script = ReadonlyMap<number, Event>;

export interface Told {
  /** Which events each call could have met, in order. */
  readonly calls: readonly { readonly name: string; readonly events: readonly Event[] }[];
  readonly problems: readonly string[];
  readonly outcomes: readonly Outcome[];
  readonly valid: readonly string[];
  readonly stored: string;
  /** The old value was shown to the issuer after it had been used to make a new one. */
  readonly shownAgain: boolean;
  readonly phase: string;
}

const REF = { store: "team", path: "db/password" };
const FIRST = "first";
/** A world that has not come to rest after so many runs never will. */
const MOST_RUNS = 8;

interface World {
  readonly kind: Kind;
  readonly script: Script;
  readonly secrets: Map<string, { fields: Fields; version: number }>;
  /** What the target takes, with the name under which it was made. */
  readonly valid: Map<string, string>;
  readonly disk: Map<string, Buffer>;
  readonly calls: { name: string; events: readonly Event[] }[];
  readonly problems: string[];
  readonly dead: Set<number>;
  readonly candidates: Map<string, string>;
  now: number;
  runs: number;
  made: number;
  /** A call of class X that was made, and whose answer nobody has. */
  gap: boolean;
  /** The old value was shown after it had been used to make a new one. */
  shownAgain: boolean;
}

/** Rotates until the journal is idle again or stuck. */
export async function simulate(kind: Kind, script: Script): Promise<Told> {
  const world: World = {
    kind,
    script,
    secrets: new Map([[REF.path, { fields: { value: new Secret(FIRST) }, version: 1 }]]),
    valid: new Map([[FIRST, ""]]),
    disk: new Map(),
    calls: [],
    problems: [],
    dead: new Set(),
    candidates: new Map(),
    now: 1_000_000,
    runs: 0,
    made: 0,
    gap: false,
    shownAgain: false,
  };
  const outcomes: Outcome[] = [];
  for (let runs = 0; runs < MOST_RUNS && !isOver(world, outcomes.at(-1)); runs += 1) {
    const outcome = await rotateOnce(world);
    if (outcome !== undefined) outcomes.push(outcome);
    world.now += 3_600_000;
  }
  if (!isOver(world, outcomes.at(-1))) world.problems.push("it never comes to rest");
  return {
    calls: world.calls,
    problems: world.problems,
    outcomes,
    valid: [...world.valid.keys()],
    stored: exposed(world.secrets.get(REF.path)?.fields),
    shownAgain: world.shownAgain,
    phase: stateOf(world)?.phase ?? "none",
  };
}

function isOver(world: World, outcome: Outcome | undefined): boolean {
  const phase = stateOf(world)?.phase;
  return phase === "stuck" || (phase === "idle" && outcome?.type === "rotated");
}

/** One process. undefined where it was killed. */
async function rotateOnce(world: World): Promise<Outcome | undefined> {
  const pid = (world.runs += 1);
  let crash: (value: undefined) => void = () => {};
  const crashed = new Promise<undefined>((resolve) => (crash = resolve));
  const kill = () => {
    world.dead.add(pid);
    crash(undefined);
  };
  const plan = { ref: REF, targetName: "simulated", grace: 0 };
  const ended = await Promise.race([rotateSecret(plan, optionsOf(world, pid, kill)), crashed]);
  world.dead.add(pid);
  return ended;
}

function optionsOf(world: World, pid: number, kill: () => void): RotationOptions {
  const call = (name: string, events: readonly Event[], act: () => void) => meet(world, { name, events, act, kill });
  return {
    provider: storeIn(world, call),
    target: targetIn(world, call),
    home: "/home",
    files: filesIn(world, call),
    openSeal: async () => ({ close: async (bytes) => bytes, open: (sealed) => sealed }),
    owner: () => ({ pid, host: "here", boot: "b", namespace: "n", started: "s", since: world.now }),
    stateOf: (owner) => (world.dead.has(owner.pid) ? "dead" : "alive"),
    now: () => (world.now += 1),
    sleep: async (time) => void (world.now += time),
    random: () => String(pid).padStart(24, "0"),
    holders: () => [],
    ask: async () => ({ value: new Secret(byHand(world)) }),
  };
}

/** A person makes the value first, and it works from then on. */
function byHand(world: World): string {
  const value = `by-hand-${(world.made += 1)}`;
  world.valid.set(value, "");
  return value;
}

interface Meeting {
  readonly name: string;
  readonly events: readonly Event[];
  readonly act: () => void;
  readonly kill: () => void;
}

type Call = (name: string, events: readonly Event[], act: () => void) => Promise<void>;

async function meet(world: World, { name, events, act, kill }: Meeting): Promise<void> {
  const written = world.script.get(world.calls.push({ name, events }) - 1) ?? "fine";
  const event = events.includes(written) ? written : "fine";
  const [kept, acts] = [event === "pauseBefore" || event === "pauseAfter", !NOT_DONE.has(event)];
  if (event === "pauseBefore") await otherRun(world);
  if (acts) {
    act();
    look(world, name);
  }
  if (event === "pauseAfter") await otherRun(world);
  if (event === "crashBefore" || event === "crashAfter") {
    kill();
    await new Promise(() => {});
  }
  if (acts && event === "lost") await Promise.reject(failure(name, "lost"));
  if (!acts && !kept) throw failure(name, event);
}

const NOT_DONE: ReadonlySet<Event> = new Set<Event>(["unreachable", "refused", "crashBefore"]);

async function otherRun(world: World): Promise<void> {
  world.now += 3_600_000;
  await rotateOnce(world);
}

function failure(name: string, event: Event): UserError {
  if (name.startsWith("store")) return new UserError("store-unavailable", `${name}: ${event}`);
  if (event === "refused") return new UserError("target-refused", `${name}: ${event}`);
  return new UserError(event === "lost" ? "target-lost" : "target-unreachable", `${name}: ${event}`);
}

const STORE: readonly Event[] = ["fine", "unreachable", "crashBefore", "crashAfter", "pauseBefore", "pauseAfter"];
const WRITE: readonly Event[] = [...STORE, "lost"];
const TARGET: readonly Event[] = [...WRITE, "refused"];

function storeIn(world: World, call: Call): Provider {
  return {
    resolve: () => Promise.reject(new Error("nobody resolves here")),
    async read(path) {
      let found;
      await call(`store read ${path}`, STORE, () => (found = world.secrets.get(path)));
      return found;
    },
    async put(path, fields, { ifVersion }) {
      let taken = false;
      await call(`store put ${path}`, WRITE, () => {
        taken = (world.secrets.get(path)?.version ?? 0) === ifVersion;
        if (taken) world.secrets.set(path, { fields, version: ifVersion + 1 });
      });
      if (taken) return ifVersion + 1;
      throw new UserError("secret-exists", `${path} was changed`);
    },
  };
}

function filesIn(world: World, call: Call): Files {
  const only = {
    readIfExists: (path: string) => world.disk.get(path),
    remove: (path: string) => void world.disk.delete(path),
    writePrivate: async (path: string, data: Buffer | string) => {
      await call("disk", ["fine", "crashBefore", "crashAfter"], () => void world.disk.set(path, Buffer.from(data)));
    },
  };
  // The engine uses no more of it.
  return only as Partial<Files> as Files;
}

function targetIn(world: World, call: Call): EngineTarget {
  const { kind, valid } = world;
  const once = kind.startsWith("mint") && kind !== "mint-O";
  const common = {
    async test(fields: Fields): Promise<Verdict> {
      const value = exposed(fields);
      let works = false;
      try {
        await call("target test", STORE, () => {
          works = valid.has(value);
          if (value === FIRST && !works) world.shownAgain = true;
        });
      } catch {
        return { type: "unreachable", reason: "it does not answer" };
      }
      return works ? { type: "valid" } : { type: "rejected" };
    },
    retire: (old: Fields) => call("target retire", TARGET, () => end(world, exposed(old), "retired")),
  };
  if (kind === "human")
    return { ...common, class: "H", kind, guide: () => ({ steps: [] }), test: byHandTest(world, common.test) };
  if (kind.startsWith("set")) {
    return {
      ...common,
      class: kind === "set-X" ? "X" : "O",
      kind: "set",
      propose: ({ id }) => ({ value: new Secret(`made-${id}`) }),
      set: (fields) => call("target set", TARGET, () => put(world, exposed(fields))),
    };
  }
  return {
    ...common,
    class: once ? "X" : "O",
    kind: "mint",
    ...(kind === "mint-family" && { reuseRevokes: true }),
    async mint({ id, current }) {
      let value = "";
      await call("target mint", TARGET, () => (value = mint(world, id, exposed(current), once)));
      return { value: new Secret(value) };
    },
    discard: ({ id }) =>
      call("target discard", TARGET, () => {
        for (const [value, name] of valid) if (name === id) end(world, value, "discarded");
      }),
  };
}

/** The person ends the old value when it is found to work still. */
function byHandTest(world: World, test: (fields: Fields) => Promise<Verdict>) {
  return async (fields: Fields) => {
    const verdict = await test(fields);
    if (stateOf(world)?.phase === "retiring") world.valid.delete(heldIn(world, "current") ?? "");
    return verdict;
  };
}

function put(world: World, value: string): void {
  if (world.kind === "set-X") world.valid.clear();
  world.valid.set(value, "");
}

function mint(world: World, id: string, old: string, once: boolean): string {
  if (once && !world.valid.has(old)) world.problems.push("a value that was used up asked for a new one");
  if (once) world.valid.clear();
  const value = `minted-${(world.made += 1)}`;
  world.valid.set(value, id);
  // Until the answer is here and on a disk, nobody has it.
  world.gap = once;
  return value;
}

/** Nothing that works is ended before its successor is current and works. */
function end(world: World, value: string, how: string): void {
  const current = exposed(world.secrets.get(REF.path)?.fields);
  if (world.valid.has(value) && (current === value || !world.valid.has(current))) {
    world.problems.push(`${value} was ${how} while ${current} was current`);
  }
  world.valid.delete(value);
}

/** What must hold at every instant. */
function look(world: World, name: string): void {
  if (retrievable(world).some((value) => world.valid.has(value))) world.gap = false;
  else if (!world.gap) world.problems.push(`nothing that works can be read after ${name}`);
  const state = stateOf(world);
  const candidate = heldIn(world, "candidate");
  if (state === undefined || candidate === undefined) return;
  const before = world.candidates.get(state.id);
  if (before !== undefined && before !== candidate) world.problems.push(`${state.id} has a second candidate`);
  world.candidates.set(state.id, candidate);
}

function retrievable(world: World): string[] {
  const stored = exposed(world.secrets.get(REF.path)?.fields);
  const spilled = [...world.disk.values()].map((bytes) => JSON.parse(bytes.toString()).fields?.value ?? "");
  return [
    stored,
    heldIn(world, "candidate") ?? "",
    heldIn(world, "current") ?? "",
    heldIn(world, "previous") ?? "",
    heldIn(world, "quarantine") ?? "",
    ...spilled,
  ];
}

function heldIn(world: World, name: string): string | undefined {
  const text = world.secrets.get(journalOf(REF.path))?.fields[name]?.expose();
  return text === undefined ? undefined : JSON.parse(text).value;
}

function stateOf(world: World): { id: string; phase: string } | undefined {
  const text = world.secrets.get(journalOf(REF.path))?.fields["state"]?.expose();
  return text === undefined ? undefined : JSON.parse(text);
}

function exposed(fields: Fields | undefined): string {
  return fields?.["value"]?.expose() ?? "";
}
