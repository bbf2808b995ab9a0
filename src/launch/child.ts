import { findRefs } from "../core/ref.ts";
import { UserError } from "../errors.ts";
import { whyNoSecret, whyWithheld } from "./environment.ts";
import { substitute, type Values } from "./substitute.ts";

export interface ChildSettings {
  /** The variables that the entry itself sets: passed on whatever they are. */
  readonly own: ReadonlySet<string>;
  readonly platform: NodeJS.Platform;
}

export interface Withheld {
  readonly name: string;
  readonly reason: string;
}

/** What a server is started with. */
export interface ChildPlan {
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Variables that were left out, for the user to hear of. */
  readonly withheld: readonly Withheld[];
}

/**
 * The arguments and the environment of the child: the parent's, references replaced by their values, without what
 * belongs to the broker and without what loads code, unless the entry names it.
 * @throws UserError refused where a value would land in a variable that decides what runs, or cannot be passed on
 */
export function buildChild(
  parent: Readonly<Record<string, string>>,
  args: readonly string[],
  values: Values,
  settings: ChildSettings,
): ChildPlan {
  for (const [key, value] of values) checkValue(key, value.expose());
  const own = new Set([...settings.own].map((name) => known(name, settings.platform)));
  const env: [string, string][] = [];
  const withheld: Withheld[] = [];
  for (const [name, text] of Object.entries(parent)) {
    const reason = whyWithheld(known(name, settings.platform), text);
    if (reason !== undefined && !own.has(known(name, settings.platform))) {
      withheld.push({ name, reason });
      continue;
    }
    checkDestination(known(name, settings.platform), text);
    env.push([name, substitute(text, values)]);
  }
  // From entries, so that a variable named __proto__ is one like every other.
  return { args: args.map((arg) => substitute(arg, values)), env: Object.fromEntries(env), withheld };
}

/** Windows does not tell upper from lower case in names of variables. */
function known(name: string, platform: NodeJS.Platform): string {
  return platform === "win32" ? name.toUpperCase() : name;
}

function checkDestination(name: string, text: string): void {
  const reason = findRefs(text).length === 0 ? undefined : whyNoSecret(name);
  if (reason === undefined) return;
  throw new UserError("refused", `no secret may be delivered to ${name}: it ${reason}`, {
    hint: `take the reference out of ${name} in the config`,
  });
}

function checkValue(reference: string, value: string): void {
  const problem = value.includes("\0")
    ? "a NUL character"
    : /[\uD800-\uDFFF]/u.test(value)
      ? "half a character"
      : undefined;
  if (problem === undefined) return;
  throw new UserError("refused", `${reference} holds ${problem}, which no program can be given`, {
    hint: `mcp-secrets set ${reference}`,
  });
}
