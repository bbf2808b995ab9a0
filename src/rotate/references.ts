import { refOrNone, type SecretRef } from "../core/ref.ts";

/** A reference that the settings of a target hold, and the member that holds it: `admin`. */
export interface NamedReference {
  readonly member: string;
  readonly ref: SecretRef;
}

/** Every whole reference in the settings of a target, at any depth: what it needs beside the secret that is rotated. */
export function referencesIn(settings: unknown, member = ""): readonly NamedReference[] {
  if (typeof settings === "string") {
    const ref = refOrNone(settings);
    return ref === undefined ? [] : [{ member, ref }];
  }
  if (typeof settings !== "object" || settings === null) return [];
  return Object.entries(settings).flatMap(([name, value]) =>
    referencesIn(value, member === "" ? name : `${member}.${name}`),
  );
}
