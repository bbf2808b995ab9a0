import { UserError } from "../errors.ts";

/** Reads the members of one object of settings; every name must have been asked for. */
export interface SettingsReader {
  has(name: string): boolean;
  is(name: string, text: string): boolean;
  text(name: string, valid?: (text: string) => boolean): string | undefined;
  required(name: string, valid?: (text: string) => boolean): string;
  /** A list of one or more strings, or one string. */
  texts(name: string, valid: (text: string) => boolean): string[];
  choice<T extends string | number | boolean>(name: string, among: readonly T[]): T | undefined;
  /** An object that goes to others as it is: what they make of it is their business. */
  object(name: string): Readonly<Record<string, unknown>> | undefined;
  flag(name: string): boolean | undefined;
  /** A whole number within the bounds. */
  number(name: string, least: number, most: number): number | undefined;
  /** An object of strings. */
  strings(name: string): Readonly<Record<string, string>> | undefined;
  group<T>(name: string, read: (inner: SettingsReader) => T): T | undefined;
  /** An object of objects, by names that the grammar knows. */
  table<T>(
    name: string,
    valid: (key: string) => boolean,
    read: (inner: SettingsReader) => T,
  ): Readonly<Record<string, T>> | undefined;
  fail(name: string, problem: string): never;
}

/** @throws UserError config-invalid where the settings are not what `read` asks for, or hold more than that */
export function readSettings<T>(store: string, value: unknown, read: (settings: SettingsReader) => T): T {
  return readSettingsAt(`stores.${store}`, value, read);
}

/**
 * As `readSettings`, for an object anywhere in `config.jsonc`: `place` is its path there, for messages.
 * @throws UserError config-invalid
 */
export function readSettingsAt<T>(place: string, value: unknown, read: (settings: SettingsReader) => T): T {
  return readObject(place, value, read);
}

function readObject<T>(place: string, value: unknown, read: (settings: SettingsReader) => T): T {
  if (!isObject(value)) throw invalid(place, "must be an object");
  const asked = new Set<string>();
  const result = read(readerOf(place, value, asked));
  const unknown = Object.keys(value).find((name) => !asked.has(name));
  if (unknown !== undefined) throw invalid(`${place}.${unknown.slice(0, 40)}`, "is not a setting");
  return result;
}

function readerOf(place: string, value: Readonly<Record<string, unknown>>, asked: Set<string>): SettingsReader {
  const fail = (name: string, problem: string): never => {
    throw invalid(`${place}.${name}`, problem);
  };
  const take = (name: string): unknown => {
    asked.add(name);
    return Object.hasOwn(value, name) ? value[name] : undefined;
  };
  const string = (name: string, given: unknown, valid: (text: string) => boolean): string =>
    typeof given === "string" && given !== "" && valid(given) ? given : fail(name, "is not valid here");

  const reader: SettingsReader = {
    fail,
    has: (name) => Object.hasOwn(value, name),
    is: (name, text) => {
      const same = Object.hasOwn(value, name) && value[name] === text;
      if (same) asked.add(name);
      return same;
    },
    text(name, valid = () => true) {
      const given = take(name);
      return given === undefined ? undefined : string(name, given, valid);
    },
    required: (name, valid) => reader.text(name, valid) ?? fail(name, "is missing"),
    texts(name, valid) {
      const given = take(name);
      const list: readonly unknown[] = Array.isArray(given) ? given : [given];
      if (given === undefined || list.length === 0) fail(name, "is missing");
      return list.map((each) => string(name, each, valid));
    },
    choice(name, among) {
      const given = take(name);
      if (given === undefined) return undefined;
      return among.find((each) => each === given) ?? fail(name, `must be one of ${among.join(", ")}`);
    },
    object(name) {
      const given = take(name);
      return given === undefined || isObject(given) ? given : fail(name, "must be an object");
    },
    flag: (name) => reader.choice(name, [true, false]),
    number(name, least, most) {
      const given = take(name);
      if (given === undefined) return undefined;
      if (typeof given === "number" && Number.isInteger(given) && given >= least && given <= most) return given;
      return fail(name, `must be a whole number from ${least} to ${most}`);
    },
    strings(name) {
      const given = take(name);
      if (given === undefined) return undefined;
      if (!isObject(given)) return fail(name, "must be an object");
      return Object.fromEntries(Object.entries(given).map(([key, each]) => [key, string(name, each, () => true)]));
    },
    group(name, read) {
      const given = take(name);
      return given === undefined ? undefined : readObject(`${place}.${name}`, given, read);
    },
    table(name, valid, read) {
      const given = take(name);
      if (given === undefined) return undefined;
      if (!isObject(given)) return fail(name, "must be an object");
      const rows = Object.entries(given).map(([key, row]) => {
        if (!valid(key)) fail(name, "has a name that no reference can have");
        return [key, readObject(`${place}.${name}.${key}`, row, read)] as const;
      });
      return Object.fromEntries(rows);
    },
  };
  return reader;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function invalid(place: string, problem: string): UserError {
  return new UserError("config-invalid", `config.jsonc: ${place} ${problem}`, {
    hint: "mend it in config.jsonc; secrets never stand there, only the files that hold them",
  });
}
