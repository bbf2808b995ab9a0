import { createHash } from "node:crypto";
import type { LaunchSettings } from "./settings.ts";

/**
 * A server's name where Vault wants one: for policies and token roles. Vault folds policy names to lower case, so that
 * a name which is not lower case already, or has other characters, gets a mark that keeps it apart from its neighbours:
 * two servers must never share a policy by accident.
 */
export function nameInVault(server: string): string {
  const plain = server.toLowerCase().replaceAll(/[^a-z0-9._-]+/g, "-");
  if (plain === server) return plain;
  return `${plain}-${createHash("sha256").update(server).digest("hex").slice(0, 8)}`;
}

/** `{server}` in a template of the settings, filled in. */
export function fillIn(template: string, server: string): string {
  return template.replaceAll("{server}", nameInVault(server));
}

export function policiesFor(launch: LaunchSettings, server: string): string[] {
  return launch.policies.map((policy) => fillIn(policy, server));
}

/** `auth/token/create`, through the role where there is one. */
export function createPath(launch: LaunchSettings, server: string): string {
  return launch.role === undefined ? "auth/token/create" : `auth/token/create/${fillIn(launch.role, server)}`;
}

/** An entry is `CLIENT/SERVER`. */
export function serverOf(entry: string): string {
  return entry.slice(entry.indexOf("/") + 1);
}
