import { parseDuration } from "../core/duration.ts";
import { isJournal } from "../core/journal.ts";
import { type SecretRef, SCHEME, formatRef, refOrNone } from "../core/ref.ts";
import { type SettingsReader, readSettingsAt } from "../core/settings-reader.ts";
import { UserError } from "../errors.ts";
import { type Window, parseWindow } from "./schedule.ts";

/** The member `rotation` of `config.jsonc`: which secrets are rotated, where and when. */
export interface RotationSettings {
  /** `launch`: `run` starts the work that is due, beside cron; `cron`: only `rotate` itself does. */
  readonly trigger: "launch" | "cron";
  readonly secrets: readonly RotatedSecret[];
}

/** One secret, with all its fields. Times are milliseconds. */
export interface RotatedSecret {
  readonly ref: SecretRef;
  /** A name in `targets/index.ts`. */
  readonly target: string;
  /** undefined: only when somebody asks for it. */
  readonly maxAge?: number;
  readonly window?: Window;
  /** How long the old value stays valid after the new one was promoted, where nobody is known to hold it. */
  readonly grace: number;
  /** Who answers for it: a name or an address, for messages. */
  readonly owner?: string;
  /** What the target itself reads, strictly. */
  readonly settings: Readonly<Record<string, unknown>>;
}

/** An hour: longer than any launch needs to have read a value, and most servers to be restarted with their client. */
const GRACE = 3_600_000;
const OURS = ["target", "maxAge", "window", "grace", "owner"] as const;
const TRIGGERS = ["launch", "cron"] as const;

/**
 * @param value the member `rotation`, as parsed; undefined where there is none
 * @throws UserError config-invalid, naming the place
 */
export function parseRotation(value: unknown): RotationSettings {
  if (value === undefined) return { trigger: "launch", secrets: [] };
  return readSettingsAt("rotation", value, (settings) => {
    const trigger = settings.choice("trigger", TRIGGERS) ?? "launch";
    const names = isObject(value) ? Object.keys(value).filter((name) => name.startsWith(SCHEME)) : [];
    return { trigger, secrets: names.map((name) => secretOf(name, settings)) };
  });
}

function secretOf(name: string, rotation: SettingsReader): RotatedSecret {
  const ref = wholeSecret(name);
  const { own, settings } = split(rotation.object(name) ?? {});
  return readSettingsAt(`rotation.${name}`, own, (reader) => {
    const maxAge = duration(reader, "maxAge");
    const windowText = reader.text("window", (text) => parseWindow(text) !== undefined);
    const window = windowText === undefined ? undefined : parseWindow(windowText);
    const owner = reader.text("owner", (text) => /^[^\p{C}]{1,200}$/u.test(text));
    return {
      ref,
      target: reader.required("target", (text) => /^[a-z][a-z0-9-]*$/.test(text)),
      ...(maxAge === undefined ? {} : { maxAge }),
      ...(window === undefined ? {} : { window }),
      grace: duration(reader, "grace") ?? GRACE,
      ...(owner === undefined ? {} : { owner }),
      settings,
    };
  });
}

/** All fields of a secret are replaced together, so that a user name and its password always belong together. */
function wholeSecret(name: string): SecretRef {
  const ref = refOrNone(name);
  if (ref === undefined) throw invalid(name, "is no reference");
  if (ref.field !== undefined) throw invalid(name, "names a field: rotation is of the whole secret");
  if (isJournal(ref.path)) throw invalid(name, "is the journal of a rotation");
  return ref;
}

function split(given: Readonly<Record<string, unknown>>) {
  const isOurs = ([name]: readonly [string, unknown]) => OURS.some((ours) => ours === name);
  const entries = Object.entries(given);
  return {
    own: Object.fromEntries(entries.filter(isOurs)),
    settings: Object.fromEntries(entries.filter((entry) => !isOurs(entry))),
  };
}

function duration(reader: SettingsReader, name: string): number | undefined {
  const text = reader.text(name);
  if (text === undefined) return undefined;
  return parseDuration(text) ?? reader.fail(name, "must be a length of time, as 30d, 12h, 90m or 45s");
}

function invalid(name: string, problem: string): UserError {
  return new UserError("config-invalid", `config.jsonc: rotation.${name.slice(0, 200)} ${problem}`, {
    hint: `write it as mcp-secret://STORE/PATH`,
  });
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null;
}

/** As a key of the settings and in messages: the secret as a whole. */
export function wholeName({ store, path }: SecretRef): string {
  return formatRef({ store, path });
}
