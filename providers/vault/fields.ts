import { Secret } from "../../src/core/secret.ts";
import type { Json } from "./shape.ts";

/** Values as text: strings as they are, everything else as its JSON. A field that is null is not there. */
export function fieldsOf(data: Json): ReadonlyMap<string, Secret> {
  const fields = new Map<string, Secret>();
  for (const [name, value] of Object.entries(data)) {
    if (value === null || value === undefined) continue;
    fields.set(name, new Secret(typeof value === "string" ? value : JSON.stringify(value)));
  }
  return fields;
}
