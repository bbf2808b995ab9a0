import type { Finding, ResolveRequest, StoreOptions } from "../../src/core/provider.ts";
import { UserError } from "../../src/errors.ts";
import { forgetRefusal } from "./refusals.ts";
import { expectOk } from "./failure.ts";
import { kvMounts } from "./mounts.ts";
import type { Parent } from "./parent.ts";
import { policyText } from "./policy.ts";
import { ask, type Session } from "./session.ts";
import type { LaunchSettings, VaultSettings } from "./settings.ts";
import { asObject, member, objectIn, textOf, textsOf } from "./shape.ts";

/** A path and what we would do there. */
type Need = readonly [path: string, ...capabilities: string[]];

/** A name that no secret has, for asking what would be allowed under a mount. */
const PROBE = "mcp-secrets-check";

/**
 * What `store check` shows: that we can log in, how long that lasts, what each mount is, and which rights are missing,
 * with the text of the policy that would give them. Nothing is written.
 */
export async function checkStore(
  options: StoreOptions,
  settings: VaultSettings,
  parent: Parent,
  request: ResolveRequest,
): Promise<readonly Finding[]> {
  forgetRefusal(options);
  parent.forget();
  const opened = await attempt(() => parent.session(request, 0));
  if ("finding" in opened) return [opened.finding];
  const session = opened.value;
  const ends = await attempt(() => parent.expiry(session, request));
  if ("finding" in ends) return [ends.finding];
  const mounts = await Promise.all(
    kvMounts(settings.mounts).map(({ name, mount }) => checkMount(session, name, mount, request)),
  );
  const rights = await attempt(() => checkRights(session, settings, request));
  return [
    loggedIn(options, settings, ends.value),
    ...mounts,
    ...("finding" in rights ? [rights.finding] : rights.value),
  ];
}

function loggedIn(options: StoreOptions, settings: VaultSettings, ends: number): Finding {
  const { method } = settings.auth;
  if (ends === Infinity) return { ok: true, what: `logged in (${method}); the login does not end` };
  const left = Math.max(0, Math.round((ends - options.now()) / 1000));
  const least = settings.launch === "none" ? 0 : settings.launch.minTtl;
  const what = `logged in (${method}) for ${left} s more`;
  return left >= least ? { ok: true, what } : { ok: false, what, remedy: "log in again: a launch needs longer" };
}

/** Whether the mount is there, and of the version that the settings say. */
async function checkMount(
  session: Session,
  name: string,
  mount: { readonly path: string; readonly version: 1 | 2 },
  request: ResolveRequest,
): Promise<Finding> {
  const result = await attempt(async () => {
    const reply = await session.client.read(`sys/internal/ui/mounts/${mount.path}`, ask(session, request));
    return objectIn(session.store, expectOk(session.store, reply), "data");
  });
  if ("finding" in result) return { ...result.finding, what: `mount ${name} (${mount.path}): ${result.finding.what}` };
  const type = textOf(result.value, "type");
  const version = textOf(asObject(member(result.value, "options")), "version") ?? "1";
  const what = `mount ${name} (${mount.path}) is ${type ?? "unknown"} version ${version}`;
  if (type === "kv" && version === String(mount.version)) return { ok: true, what };
  return { ok: false, what, remedy: `set mounts.${name} of the store to what is there` };
}

async function checkRights(session: Session, settings: VaultSettings, request: ResolveRequest): Promise<Finding[]> {
  const needs = needsOf(settings);
  const paths = needs.map(([path]) => path);
  const reply = await session.client.write("sys/capabilities-self", { paths }, ask(session, request));
  const answer = objectIn(session.store, expectOk(session.store, reply), "data");
  return needs.map(([path, ...capabilities]): Finding => {
    const has = new Set(textsOf(answer, path));
    const missing = has.has("root") ? [] : capabilities.filter((each) => !has.has(each));
    if (missing.length === 0) return { ok: true, what: `may ${capabilities.join(", ")} ${path}` };
    return { ok: false, what: `may not ${missing.join(", ")} ${path}`, remedy: policyText([[path, ...capabilities]]) };
  });
}

/** What `migrate`, `run` and `reap` do with the store's own login. */
function needsOf(settings: VaultSettings): Need[] {
  const kv = kvMounts(settings.mounts).flatMap(({ mount }): Need[] => {
    if (mount.version === 1) return [[`${mount.path}/${PROBE}`, "create", "read", "update"]];
    return [
      [`${mount.path}/data/${PROBE}`, "create", "read", "update"],
      [`${mount.path}/metadata/${PROBE}`, "read", "list"],
    ];
  });
  return settings.launch === "none" ? kv : [...kv, ...launchNeeds(settings.launch)];
}

function launchNeeds(launch: LaunchSettings): Need[] {
  // A role with the server's name in it is granted server by server: `store policy` says how.
  const path = launch.role === undefined ? "auth/token/create" : `auth/token/create/${launch.role}`;
  const create: Need[] = path.includes("{server}") ? [] : [[path, "update"]];
  return [...create, ["auth/token/revoke-accessor", "update"]];
}

/** A failure that the user can mend is a finding; a bug is not. */
async function attempt<T>(work: () => Promise<T>): Promise<{ value: T } | { finding: Finding }> {
  try {
    return { value: await work() };
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    const remedy = error.hint;
    return { finding: { ok: false, what: error.message, ...(remedy !== undefined && { remedy }) } };
  }
}
