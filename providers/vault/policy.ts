import type { SecretRef } from "../../src/core/ref.ts";
import { placeOf } from "./mounts.ts";
import { createPath, fillIn, policiesFor } from "./names.ts";
import type { LaunchSettings, Mount, VaultSettings } from "./settings.ts";

/** The least rights for one server, each with the name under which Vault keeps it. */
export interface Rights {
  /** What the token of a launch may do. */
  readonly server: Policy;
  /** What the store's login may do so that it can make and end such tokens. */
  readonly login: Policy;
  /** Which tokens the login may make. */
  readonly role: TokenRole | undefined;
}

export interface Policy {
  readonly name: string;
  readonly text: string;
}

export interface TokenRole {
  readonly name: string;
  readonly parameters: Readonly<Record<string, string | boolean>>;
}

type Rule = readonly [path: string, ...capabilities: string[]];

/** @throws UserError config-invalid where a reference names no mount of the store */
export function rightsFor(store: string, settings: VaultSettings, server: string, refs: readonly SecretRef[]): Rights {
  const launch = settings.launch === "none" ? undefined : settings.launch;
  const places = [...new Set(refs.map((ref) => ref.path))]
    .toSorted()
    .map((path) => placeOf(store, path, settings.mounts));
  const rules = places.flatMap(({ mount, rest }) => rulesFor(mount, rest));
  const leases = places.flatMap(({ mount, rest }) => leaseRules(mount, rest));
  const [name = fillIn("mcp-{server}", server)] = launch === undefined ? [] : policiesFor(launch, server);
  return {
    server: { name, text: policyText([...rules, ...leases, ...SELF]) },
    login: { name: `${name}-login`, text: policyText(launch === undefined ? [] : loginRules(launch, server, leases)) },
    role:
      launch?.role === undefined
        ? undefined
        : tokenRole(fillIn(launch.role, server), policiesFor(launch, server), launch),
  };
}

/** Rights that the launch's token needs over itself; the `default` policy, which has them and more, is not given. */
const SELF: readonly Rule[] = [
  ["auth/token/renew-self", "update"],
  ["auth/token/revoke-self", "update"],
];

function rulesFor(mount: Mount, rest: string): Rule[] {
  if (mount.type === "kv")
    return [[mount.version === 1 ? `${mount.path}/${rest}` : `${mount.path}/data/${rest}`, "read"]];
  return [[`${mount.path}/${rest}`, mount.parameters === undefined ? "read" : "update"]];
}

/** The lease's id begins with the path that it was read from: one role's leases and no other's. */
function leaseRules(mount: Mount, rest: string): Rule[] {
  if (mount.type === "kv") return [];
  return [
    [`sys/leases/renew/${mount.path}/${rest}/*`, "update"],
    [`sys/leases/revoke/${mount.path}/${rest}/*`, "update"],
  ];
}

function loginRules(launch: LaunchSettings, server: string, leases: readonly Rule[]): Rule[] {
  const revoke = leases.filter(([path]) => path.startsWith("sys/leases/revoke/"));
  return [
    [createPath(launch, server), "update"],
    ["auth/token/lookup-self", "read"],
    ["auth/token/renew-self", "update"],
    ["auth/token/revoke-accessor", "update"],
    ["sys/capabilities-self", "update"],
    ...revoke,
  ];
}

/**
 * Orphans, so that a short login does not end a long launch; renewable within the maximum. The login needs none of the
 * policies itself: it can make this server's tokens and read nothing with its own.
 */
function tokenRole(name: string, policies: readonly string[], launch: LaunchSettings): TokenRole {
  return {
    name,
    parameters: {
      allowed_policies: policies.join(","),
      orphan: true,
      renewable: true,
      token_type: "service",
      token_no_default_policy: true,
      token_explicit_max_ttl: `${launch.maxTtl}s`,
    },
  };
}

/** HCL, as `bao policy write` takes it. */
export function policyText(rules: readonly Rule[]): string {
  const unique = new Map(rules.map(([path, ...capabilities]) => [path, capabilities]));
  return [...unique].map(([path, capabilities]) => rule(path, capabilities)).join("\n");
}

function rule(path: string, capabilities: readonly string[]): string {
  const list = capabilities.map((each) => `"${each}"`).join(", ");
  return `path "${path}" {\n  capabilities = [${list}]\n}\n`;
}

/** All of it as one text: HCL, with the commands that put it in place as comments. */
export function rightsText(store: string, server: string, rights: Rights): string {
  const parts = [
    `# What a launch of ${server} may do, and nothing else.\n# bao policy write ${rights.server.name} FILE\n${rights.server.text}`,
  ];
  if (rights.role !== undefined) {
    const parameters = Object.entries(rights.role.parameters).map(([name, value]) => `#   ${name}=${value}`);
    parts.push(
      `# The tokens that the login of store ${store} may make for it.\n# bao write auth/token/roles/${rights.role.name} \\\n${parameters.join(" \\\n")}\n`,
    );
  }
  if (rights.login.text !== "") {
    parts.push(
      `# What the login of store ${store} needs for it, beside its own way in.\n# bao policy write ${rights.login.name} FILE\n${rights.login.text}`,
    );
  }
  return parts.join("\n");
}
