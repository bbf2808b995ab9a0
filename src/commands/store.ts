import type { Context } from "../context.ts";
import type { Provider } from "../core/provider.ts";
import { findRefs, formatRef, isStoreName, type SecretRef } from "../core/ref.ts";
import { formatTable } from "../core/table.ts";
import { EXIT, UserError } from "../errors.ts";
import { pathOf, readSettings, withDefault, withStore } from "../settings.ts";
import { configuredStores, openStore } from "../stores.ts";
import { gather } from "./gather.ts";

/** What `store add` takes: the names of things and of files, and no secret. */
export interface StoreAddOptions {
  readonly provider: string;
  readonly address?: readonly string[];
  readonly namespace?: string;
  readonly caFile?: string;
  readonly certFile?: string;
  readonly keyFile?: string;
  readonly proxy?: string;
  readonly auth?: string;
  readonly authMount?: string;
  readonly role?: string;
  readonly roleId?: string;
  readonly user?: string;
  /** The file with the token, the secret id, the JWT or the password. */
  readonly credentialFile?: string;
  /** Where the password lies in the local store. */
  readonly passwordRef?: string;
  /** The role that a wrapped secret id was made for. */
  readonly wrappedFor?: string;
  /** `NAME=PATH`, with `engine:` before the path for an engine, `kv1:` for the first version of KV. */
  readonly mount?: readonly string[];
  readonly tokenRole?: string;
  /** How old an encrypted copy of a static secret may be that is used while the vault does not answer: `8h`. */
  readonly staleFor?: string;
  readonly region?: string;
  readonly profile?: string;
  readonly prefix?: string;
  readonly roleArn?: string;
  readonly externalId?: string;
  readonly kmsKeyId?: string;
  readonly endpoint?: string;
  readonly stsEndpoint?: string;
  readonly imds?: boolean;
  readonly owner?: string;
  /** `NAME=ARN`: roles that servers are given. */
  readonly assume?: readonly string[];
  readonly app?: string;
  readonly installation?: string;
  /** Where the app's private key lies in the local store. */
  readonly keyRef?: string;
  /** `NAME=REPOSITORY,…:PERMISSION=LEVEL,…`: tokens that servers are given; `*` for all repositories. */
  readonly token?: readonly string[];
}

/** `store add NAME`: writes a store to `config.jsonc`, once its settings are such that the provider takes them. */
export async function runStoreAdd(context: Context, name: string, options: StoreAddOptions): Promise<number> {
  if (!isStoreName(name) || name === "local") {
    throw new UserError("usage", "a store is named with lower-case letters, digits and -, and not local", {
      hint: "mcp-secrets store add team --provider vault --address https://VAULT:8200",
    });
  }
  const from = Object.hasOwn(SETTINGS_FROM, options.provider) ? SETTINGS_FROM[options.provider] : undefined;
  if (from === undefined) {
    const known = Object.keys(SETTINGS_FROM);
    throw new UserError("usage", `there are the providers ${known.join(", ")}`, {
      hint: `--provider ${known[0] ?? ""}`,
    });
  }
  const settings = { provider: options.provider, ...from(options) };
  const text = withStore(context, name, settings);
  const before = context.files.readIfExists(pathOf(context));
  await context.files.writePrivate(pathOf(context), text);
  try {
    (await openStore(context, name)).close?.();
  } catch (error) {
    if (before === undefined) context.files.remove(pathOf(context));
    else await context.files.writePrivate(pathOf(context), before);
    throw error;
  }
  context.terminal.out(`store ${name} is set up in ${pathOf(context)}\nnext: mcp-secrets store check ${name}\n`);
  return EXIT.ok;
}

/** Only what was said: everything else has its default in the provider. */
const SETTINGS_FROM: Readonly<Record<string, (options: StoreAddOptions) => Record<string, unknown>>> = {
  vault: vaultFrom,
  aws: awsFrom,
  "github-app": githubFrom,
};

function githubFrom({ app, installation, keyRef, token, endpoint, caFile }: StoreAddOptions): Record<string, unknown> {
  return said({
    app,
    installation: installation === undefined ? undefined : Number(installation),
    key: keyRef,
    endpoint,
    caFile,
    tokens: token === undefined ? undefined : Object.fromEntries(token.map(tokenFrom)),
  });
}

function tokenFrom(text: string): [string, unknown] {
  const [, name, where = "", rights = ""] = /^([^=]+)=([^:]+):(.+)$/.exec(text) ?? [];
  const permissions = rights.split(",").map((right): [string, string] => {
    const at = right.indexOf("=");
    return [right.slice(0, Math.max(0, at)), right.slice(at + 1)];
  });
  if (name === undefined || permissions.some(([permission]) => permission === "")) {
    throw new UserError("usage", `not a token: ${text}`, {
      hint: "--token reader=app,site:contents=read,issues=write",
    });
  }
  const repositories = where === "*" ? { allRepositories: true } : { repositories: where.split(",") };
  return [name, { ...repositories, permissions: Object.fromEntries(permissions) }];
}

function awsFrom(options: StoreAddOptions): Record<string, unknown> {
  const { region, profile, prefix, roleArn, externalId, kmsKeyId, endpoint, stsEndpoint, imds, owner, assume } =
    options;
  const roles = assume === undefined ? undefined : Object.fromEntries(assume.map(roleFrom));
  return said({
    region,
    profile,
    prefix,
    roleArn,
    externalId,
    kmsKeyId,
    endpoint,
    stsEndpoint,
    imds,
    owner,
    roles,
  });
}

function roleFrom(text: string): [string, unknown] {
  const at = text.indexOf("=");
  if (at > 0) return [text.slice(0, at), { arn: text.slice(at + 1) }];
  throw new UserError("usage", `not a role: ${text}`, {
    hint: "--assume reader=arn:aws:iam::123456789012:role/reader",
  });
}

function vaultFrom(options: StoreAddOptions): Record<string, unknown> {
  const auth = authFrom(options);
  const { address, namespace, caFile, certFile, keyFile, proxy, mount, tokenRole, staleFor } = options;
  return said({
    addresses: address,
    namespace,
    caFile,
    certFile,
    keyFile,
    proxy,
    auth: Object.keys(auth).length === 0 ? undefined : auth,
    mounts: mount === undefined ? undefined : Object.fromEntries(mount.map(mountFrom)),
    launch: tokenRole === undefined ? undefined : { role: tokenRole },
    stale: staleFor === undefined ? undefined : "allow",
    maxStale: staleFor,
  });
}

const CREDENTIAL: Readonly<Record<string, string>> = {
  token: "tokenFile",
  approle: "secretIdFile",
  jwt: "jwtFile",
  kubernetes: "jwtFile",
  userpass: "passwordFile",
};

function authFrom(options: StoreAddOptions): Record<string, unknown> {
  const { auth: method, authMount: mount, role, roleId, user, credentialFile, passwordRef, wrappedFor } = options;
  const file = CREDENTIAL[method ?? "token"];
  return said({
    method: method ?? (credentialFile === undefined ? undefined : "token"),
    mount,
    role,
    roleId,
    user,
    passwordRef,
    wrappedFor,
    ...(file !== undefined && { [file]: credentialFile }),
  });
}

function mountFrom(text: string): [string, unknown] {
  const found = /^([^=]+)=(?:(engine|kv1|kv):)?(.+)$/.exec(text);
  if (found === null)
    throw new UserError("usage", `not a mount: ${text}`, {
      hint: "--mount kv=secret --mount db=engine:database/creds",
    });
  const [, name = "", kind, path] = found;
  if (kind === "engine") return [name, { type: "engine", path }];
  return [name, { type: "kv", path, ...(kind === "kv1" && { version: 1 }) }];
}

function said(settings: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== undefined));
}

/** `store list`. */
export async function runStoreList(context: Context, options: { readonly json?: boolean }): Promise<number> {
  const { defaultStore } = readSettings(context);
  const stores = (await configuredStores(context)).map(({ name, provider }) => ({
    name,
    provider,
    default: name === defaultStore,
  }));
  const rows = stores.map(({ name, provider, default: chosen }) => [name, provider, chosen ? "default" : ""]);
  context.terminal.out(
    options.json === true
      ? `${JSON.stringify({ schema: "mcp-secrets/store-list/1", stores }, undefined, 2)}\n`
      : formatTable(["STORE", "PROVIDER", ""], rows),
  );
  return EXIT.ok;
}

/** Milliseconds for all that `store check` asks. */
const CHECK_TIME = 30_000;

/** `store check [NAME]`: what works, and what does not with what would mend it. Ends with 1 where something does not. */
export async function runStoreCheck(
  context: Context,
  name: string | undefined,
  options: { readonly json?: boolean },
): Promise<number> {
  const store = name ?? readSettings(context).defaultStore;
  const provider = await openStore(context, store);
  const found = (await provider.check?.({ deadline: context.now() + CHECK_TIME })) ?? [
    { ok: true, what: "needs no set-up: mcp-secrets doctor looks at it" },
  ];
  provider.close?.();
  const text = found.map(
    ({ ok, what, remedy }) => `${ok ? "ok " : "NO "} ${what}\n${remedy === undefined ? "" : indented(remedy)}`,
  );
  context.terminal.out(
    options.json === true
      ? `${JSON.stringify({ schema: "mcp-secrets/store-check/1", store, findings: found }, undefined, 2)}\n`
      : text.join(""),
  );
  return found.every(({ ok }) => ok) ? EXIT.ok : EXIT.findings;
}

function indented(text: string): string {
  return text.trimEnd().replaceAll(/^/gm, "    ").concat("\n");
}

/** `store default NAME`: where `migrate` puts secrets when no store is named. */
export async function runStoreDefault(context: Context, name: string): Promise<number> {
  const provider = await openStore(context, name);
  provider.close?.();
  if (provider.put === undefined) {
    throw new UserError("refused", `store ${name} keeps nothing: it makes what it is asked for`, {
      hint: "mcp-secrets store list shows the others",
    });
  }
  await context.files.writePrivate(pathOf(context), withDefault(context, name));
  context.terminal.out(`${name} is the default store\n`);
  return EXIT.ok;
}

export interface StorePolicyOptions {
  readonly config?: readonly string[];
  readonly server: string;
  readonly store?: string;
}

/** `store policy --server NAME`: the least rights for the references that the configs hold for that server. */
export async function runStorePolicy(context: Context, options: StorePolicyOptions): Promise<number> {
  const all = referencesOf(context, options);
  const store = options.store ?? all.find((ref) => ref.store !== "local")?.store ?? readSettings(context).defaultStore;
  const refs = all.filter((ref) => ref.store === store);
  if (refs.length === 0) {
    throw new UserError("usage", `no config has references of ${options.server} to store ${store}`, {
      hint: `mcp-secrets migrate --server ${options.server} --store ${store}`,
    });
  }
  const provider = await openStore(context, store);
  context.terminal.out(policyOf(provider, store, options.server, refs));
  provider.close?.();
  return EXIT.ok;
}

function policyOf(provider: Provider, store: string, server: string, refs: readonly SecretRef[]): string {
  const text = provider.policyFor?.(server, refs);
  if (text !== undefined) return text;
  throw new UserError("usage", `store ${store} knows no policies`, { hint: `${refs.map(formatRef).join(" ")}` });
}

/** What the entries of a server refer to, in every config that is found. */
function referencesOf(context: Context, { config, server }: StorePolicyOptions): SecretRef[] {
  const { configs } = gather(context, config === undefined ? {} : { config });
  return configs.flatMap(({ input }) =>
    input.entries
      .filter(({ entry }) => entry.server === server)
      .flatMap(({ entry }) => [...entry.args, ...entry.env])
      .flatMap(({ text }) => findRefs(text).map(({ ref }) => ref)),
  );
}
