import { createHash, randomBytes } from "node:crypto";
import { isAbsolute, join } from "node:path";
import type { Context } from "../context.ts";
import type { Fields, Provider } from "../core/provider.ts";
import type { SecretRef } from "../core/ref.ts";
import { UserError, systemCode } from "../errors.ts";
import { type LaunchRecord, liveLaunches } from "../launch/registry.ts";
import { hasMarks } from "../rotate/marks.ts";
import { type RotatedSecret, type RotationSettings, parseRotation, wholeName } from "../rotate/settings.ts";
import type { Target, TargetModule } from "../rotate/target.ts";
import { targets } from "../rotate/targets/index.ts";
import { readMember } from "../settings.ts";
import { openStore } from "../stores.ts";
import { followMoves } from "./moved-launches.ts";

/** What the commands about rotation have in common: settings, stores and targets, each opened once. */
export interface World {
  readonly context: Context;
  readonly settings: RotationSettings;
  readonly openStore: (name: string) => Promise<Provider>;
  /** Those that run now. */
  readonly launches: readonly LaunchRecord[];
}

/** Milliseconds for one read of a store. */
const READ_TIME = 10_000;

/** @throws UserError config-invalid */
export function openWorld(context: Context): World {
  const stores = new Map<string, Promise<Provider>>();
  return {
    context,
    settings: parseRotation(readMember(context, "rotation")),
    openStore(name) {
      const known = stores.get(name) ?? openStore(context, name);
      stores.set(name, known);
      return known;
    },
    launches: followMoves(context, liveLaunches(context)),
  };
}

/** The settings of a secret; for one that has none, a person makes the new value. */
export function rotatedSecret({ settings }: World, ref: SecretRef): RotatedSecret {
  const name = wholeName(ref);
  const found = settings.secrets.find((secret) => wholeName(secret.ref) === name);
  return found ?? { ref: { store: ref.store, path: ref.path }, target: "human", grace: 0, settings: {} };
}

/** In [0, 1), the same for the same secret on every machine. */
export function chanceOf(ref: SecretRef): number {
  return createHash("sha256").update(wholeName(ref)).digest().readUInt32BE(0) / 2 ** 32;
}

/** @throws UserError config-invalid */
export async function openTarget(world: World, secret: RotatedSecret): Promise<Target> {
  const { context } = world;
  const { open, ready } = await loadTarget(secret);
  const provider = await world.openStore(secret.ref.store);
  const target = open({
    settings: secret.settings,
    ref: secret.ref,
    exposed: hasMarks(context, secret.ref),
    lookUp: (ref) => fieldsOf(world, ref),
    now: context.now,
    random: randomBytes,
    http: context.http,
    readFile: (path) => readUserFile(context, path),
    converse: (program, args, { env, ...more }) =>
      context.converse(program, args, { ...more, env: { ...plainEnvironment(context), ...env } }),
    probe: context.probe,
    native: secret.target === "native" ? provider.rotation?.(secret.ref.path, secret.settings) : undefined,
  });
  await ready?.();
  return target;
}

/** What any program needs, and nothing that a store or a cloud is logged in with. */
function plainEnvironment({ env }: Context): Record<string, string> {
  return Object.fromEntries(PLAIN.flatMap((name) => (env[name] === undefined ? [] : [[name, env[name]]])));
}

const PLAIN = ["PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "TZ", "TMPDIR", "SystemRoot", "TEMP", "USERPROFILE"];

function loadTarget({ ref, target }: RotatedSecret): Promise<TargetModule> {
  const load = Object.entries(targets).find(([name]) => name === target)?.[1];
  if (load !== undefined) return load();
  throw new UserError("config-invalid", `config.jsonc: rotation.${wholeName(ref)}.target is not known: ${target}`, {
    hint: `there are ${Object.keys(targets).join(", ")}`,
  });
}

/** Every field of a secret. @throws UserError secret-not-found, and as its store does */
export async function fieldsOf({ context, openStore: open }: World, { store, path }: SecretRef): Promise<Fields> {
  const provider = await open(store);
  const found = await provider.read?.(path, { deadline: context.now() + READ_TIME });
  if (found !== undefined) return found.fields;
  throw noSecret({ store, path });
}

export function noSecret(ref: SecretRef): UserError {
  const name = wholeName(ref);
  return new UserError("secret-not-found", `no secret ${name}`, { hint: `mcp-secrets set ${name}` });
}

function readUserFile({ files, userHome }: Context, path: string): Uint8Array {
  const full = path.startsWith("~/") ? join(userHome, path.slice(2)) : path;
  if (!isAbsolute(full)) throw unreadable(path, "it is not absolute");
  try {
    return files.read(full);
  } catch (error) {
    throw unreadable(path, systemCode(error) ?? "unknown error");
  }
}

function unreadable(path: string, reason: string): UserError {
  return new UserError("config-invalid", `config.jsonc: the file ${path} cannot be read: ${reason}`, {
    hint: `ls -l ${path}`,
  });
}
