import type { Fields } from "../../src/core/provider.ts";
import { DEFAULT_FIELD } from "../../src/core/ref.ts";
import { Secret } from "../../src/core/secret.ts";
import { UserError } from "../../src/errors.ts";

/** Bytes of a SecretString at most (API reference of PutSecretValue). */
const MOST_BYTES = 65_536;

/**
 * The fields of a SecretString: the members of a JSON object, or `value` for any other text. A member that is no string
 * is its JSON; one that is null is not there.
 */
export function parseContent(text: string): ReadonlyMap<string, Secret> {
  const object = parseObject(text);
  if (object === undefined) return new Map([[DEFAULT_FIELD, new Secret(text)]]);
  const fields = new Map<string, Secret>();
  for (const [name, value] of Object.entries(object)) {
    if (value === null) continue;
    fields.set(name, new Secret(typeof value === "string" ? value : JSON.stringify(value)));
  }
  return fields;
}

/**
 * The SecretString for fields: `value` alone is the text itself, unless it would be read as something else.
 * `parseContent` gives the fields back.
 * @throws UserError refused where it is too long for the service
 */
export function formatContent(store: string, name: string, fields: Fields): string {
  const text = textFor(fields);
  if (Buffer.byteLength(text) <= MOST_BYTES) return text;
  throw new UserError(
    "refused",
    `store ${store}: ${name} is larger than the ${MOST_BYTES} bytes Secrets Manager takes`,
    {
      hint: "keep it in another store",
    },
  );
}

function textFor(fields: Fields): string {
  // Sorted: the same fields are the same content, and so the same version.
  const names = Object.keys(fields).toSorted();
  const only = names.length === 1 ? fields[DEFAULT_FIELD]?.expose() : undefined;
  if (only !== undefined && only !== "" && parseObject(only) === undefined) return only;
  return JSON.stringify(Object.fromEntries(names.map((name) => [name, fields[name]?.expose()])));
}

function parseObject(text: string): Readonly<Record<string, unknown>> | undefined {
  if (!text.trimStart().startsWith("{")) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value) ? { ...value } : undefined;
  } catch {
    return undefined;
  }
}
