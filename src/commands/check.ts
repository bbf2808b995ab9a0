import { UserError, systemCode } from "../errors.ts";

/** One thing that `doctor` looked at. `hint` is the next command. */
export interface Check {
  readonly about: string;
  readonly state: "ok" | "warning" | "problem";
  readonly detail: string;
  readonly hint?: string;
}

const MOST_NAMES = 5;

export function ok(about: string, detail: string): Check {
  return { about, state: "ok", detail };
}

export function warning(about: string, detail: string): Check {
  return { about, state: "warning", detail };
}

export function problem(about: string, detail: string, hint?: string): Check {
  return { about, state: "problem", detail, ...(hint === undefined ? {} : { hint }) };
}

type Look = () => Promise<readonly Check[]> | readonly Check[];

/** What `look` finds; what stops it is a problem like any other, so that one damaged file does not hide the rest. */
export async function checked(about: string, look: Look): Promise<readonly Check[]> {
  try {
    return await look();
  } catch (error) {
    return [stopped(about, error)];
  }
}

/** What `read` gives; where it cannot, that is noted in `checks` and the rest goes on with `otherwise`. */
export function readOr<T>(otherwise: T, about: string, checks: Check[], read: () => T): T {
  try {
    return read();
  } catch (error) {
    checks.push(stopped(about, error));
    return otherwise;
  }
}

function stopped(about: string, error: unknown): Check {
  if (error instanceof UserError) return problem(about, error.message, error.hint);
  const system = systemCode(error);
  if (system === undefined) throw error;
  const path = error instanceof Error && "path" in error && typeof error.path === "string" ? error.path : undefined;
  if (path === undefined) return problem(about, `cannot be looked at: ${system}`);
  return problem(about, `cannot be looked at: ${system} at ${path}`, `ls -ld ${path}`);
}

/** The first few, and how many more there are. */
export function firstOf(names: readonly string[], separator = ", "): string {
  const shown = names.slice(0, MOST_NAMES).join(separator);
  return names.length > MOST_NAMES ? `${shown} and ${names.length - MOST_NAMES} more` : shown;
}
