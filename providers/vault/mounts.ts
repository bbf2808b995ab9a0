import { UserError } from "../../src/errors.ts";
import type { Mount, VaultSettings } from "./settings.ts";

/** A reference's path as the store's settings place it: the mount, and what follows its name. */
export interface Place {
  readonly mount: Mount;
  readonly rest: string;
}

/** @throws UserError config-invalid where the first segment names no mount */
export function placeOf(store: string, path: string, mounts: VaultSettings["mounts"]): Place {
  const slash = path.indexOf("/");
  const name = slash < 0 ? path : path.slice(0, slash);
  const mount = Object.hasOwn(mounts, name) ? mounts[name] : undefined;
  if (mount === undefined || slash < 0) {
    const known = Object.keys(mounts).join(", ");
    throw new UserError("config-invalid", `store ${store} has no mount for ${path}; its mounts are ${known}`, {
      hint: `a path begins with the name of a mount: see stores.${store}.mounts in config.jsonc`,
    });
  }
  return { mount, rest: path.slice(slash + 1) };
}

/** Names and KV mounts, in the order of the settings. */
export function kvMounts(mounts: VaultSettings["mounts"]): { name: string; mount: Extract<Mount, { type: "kv" }> }[] {
  return Object.entries(mounts).flatMap(([name, mount]) => (mount.type === "kv" ? [{ name, mount }] : []));
}
