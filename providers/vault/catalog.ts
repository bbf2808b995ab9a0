import type { ResolveRequest, SecretSummary, StoredValue, WholeSecret } from "../../src/core/provider.ts";
import { type ErrorCode, UserError } from "../../src/errors.ts";
import { expectOk } from "./failure.ts";
import { type KvMount, readKv, readMetadata } from "./kv.ts";
import { ask, type Session } from "./session.ts";
import { asObject, member, objectIn, textsOf } from "./shape.ts";
import { inParallel } from "../../src/core/parallel.ts";

/** Paths of a mount, in order; a mount of this depth and no deeper is looked through. */
const MOST_DEPTH = 16;

/** Every path under a KV mount that holds a secret, deleted ones too. */
export async function listKv(session: Session, mount: KvMount, request: ResolveRequest): Promise<readonly string[]> {
  const base = mount.version === 1 ? mount.path : `${mount.path}/metadata`;
  const paths = await walk(session, base, "", request);
  return paths.toSorted((a, b) => (a < b ? -1 : 1));
}

async function walk(session: Session, base: string, folder: string, request: ResolveRequest): Promise<string[]> {
  if (folder.split("/").length > MOST_DEPTH) return [];
  const reply = await session.client.list(folder === "" ? base : `${base}/${folder}`, ask(session, request));
  if (reply.status === 404) return [];
  const keys = textsOf(objectIn(session.store, expectOk(session.store, reply), "data"), "keys");
  const inside = await inParallel(keys, async (key) => {
    const path = folder === "" ? key : `${folder}/${key}`;
    return key.endsWith("/") ? walk(session, base, path.slice(0, -1), request) : [path];
  });
  return inside.flat();
}

/** What may be told of a path; undefined where nothing can be read there: missing, deleted or destroyed. */
export async function describeKv(
  session: Session,
  mount: KvMount,
  path: string,
  request: ResolveRequest,
): Promise<SecretSummary | undefined> {
  if (mount.version === 1) return describeV1(session, mount, path, request);
  const metadata = await readMetadata(session, mount, path, request);
  if (metadata === undefined || metadata.fate(metadata.current) !== "live") return undefined;
  const fields = await fieldNames(session, mount, path, request);
  return { path, fields, version: metadata.current, updatedAt: metadata.updatedAt };
}

/** KV v1 keeps the values only. */
async function describeV1(session: Session, mount: KvMount, path: string, request: ResolveRequest) {
  const reply = await session.client.read(`${mount.path}/${path}`, ask(session, request));
  if (reply.status === 404) return undefined;
  const fields = Object.keys(objectIn(session.store, expectOk(session.store, reply), "data"));
  return { path, fields: fields.toSorted(), version: 1, updatedAt: 0 };
}

/** Names without values; from the values where the policy, or an older server, does not give the names alone. */
async function fieldNames(session: Session, mount: KvMount, path: string, request: ResolveRequest) {
  const reply = await session.client.read(`${mount.path}/subkeys/${path}`, ask(session, request));
  if (reply.status === 403 || reply.status === 404) {
    return [...(await readKv(session, mount, path, request)).fields.keys()].toSorted();
  }
  const data = objectIn(session.store, expectOk(session.store, reply), "data");
  return Object.keys(asObject(member(data, "subkeys")) ?? {}).toSorted();
}

/** Every field of one path; undefined where nothing is there. @throws UserError secret-deleted */
export async function readWhole(
  session: Session,
  mount: KvMount,
  path: string,
  request: ResolveRequest,
): Promise<WholeSecret | undefined> {
  try {
    const { fields, version = 1 } = await readKv(session, mount, path, request);
    return { fields: Object.fromEntries(fields), version };
  } catch (error) {
    if (error instanceof UserError && error.code === "secret-not-found") return undefined;
    throw error;
  }
}

/** Every field of every path that the login may read. */
export async function readAllKv(
  session: Session,
  mount: KvMount,
  request: ResolveRequest,
): Promise<readonly StoredValue[]> {
  const paths = await listKv(session, mount, request);
  const read = await inParallel(paths, async (path) => {
    try {
      const { fields } = await readKv(session, mount, path, request);
      return [...fields].map(([field, value]) => ({ path, field, value }));
    } catch (error) {
      if (error instanceof UserError && LEFT_OUT.has(error.code)) return [];
      throw error;
    }
  });
  return read.flat();
}

/** What is said of one secret only, and not of the store. */
const LEFT_OUT: ReadonlySet<ErrorCode> = new Set(["secret-not-found", "secret-deleted", "store-denied"]);
