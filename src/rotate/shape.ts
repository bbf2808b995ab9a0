import { PHASES, type RotationState } from "./state.ts";

/** Strict: what a journal says that this version does not know makes a rotation stuck, and is never guessed at. */
export function isState(
  value: Readonly<Record<string, unknown>>,
): value is Readonly<Record<string, unknown>> & RotationState {
  return MEMBERS.every(([name, check]) => check(value[name])) && Object.keys(value).every((name) => NAMES.has(name));
}

type Check = (value: unknown) => boolean;

const RESULTS = ["rotated", "rolledBack", "refused", "notApplied", "settled"];
const HELD = ["candidate", "current", "previous"];

const text: Check = (value) => typeof value === "string";
const count: Check = (value) => typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
const optional =
  (check: Check): Check =>
  (value) =>
    value === undefined || check(value);
const oneOf =
  (choices: readonly string[]): Check =>
  (value) =>
    typeof value === "string" && choices.includes(value);
const listOf =
  (check: Check): Check =>
  (value) =>
    Array.isArray(value) && value.every(check);
const objectOf =
  (members: Readonly<Record<string, Check>>): Check =>
  (value) => {
    if (typeof value !== "object" || value === null) return false;
    const object: Readonly<Record<string, unknown>> = { ...value };
    return Object.entries(members).every(([name, check]) => check(object[name]));
  };

const owner = objectOf({ pid: count, host: text, boot: text, namespace: text, started: text, since: count });

const MEMBERS: readonly (readonly [string, Check])[] = Object.entries({
  phase: oneOf(PHASES),
  id: (value) => typeof value === "string" && /^[a-z0-9]{26}$/.test(value),
  target: text,
  startedAt: count,
  slot: optional(text),
  owner: optional(owner),
  deadline: count,
  base: count,
  attempt: count,
  cleared: optional(count),
  call: optional(objectOf({ attempt: count, until: count, program: optional(owner) })),
  promoted: optional(count),
  promotedAt: optional(count),
  until: optional(count),
  refused: optional(listOf(oneOf(HELD))),
  failure: optional(
    objectOf({ type: oneOf(["rejected", "lacking", "incomplete", "superseded"]), missing: optional(listOf(text)) }),
  ),
  stuck: optional(objectOf({ reason: text, check: text })),
  movedTo: optional(text),
  made: optional(objectOf({ version: count, at: count })),
  last: optional(
    objectOf({
      id: text,
      at: count,
      result: oneOf(RESULTS),
      reason: optional(text),
      slot: optional(text),
      version: optional(count),
      failures: optional(count),
      retryAt: optional(count),
    }),
  ),
} satisfies Record<keyof RotationState, Check>);

const NAMES: ReadonlySet<string> = new Set(MEMBERS.map(([name]) => name));
