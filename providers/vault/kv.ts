import type { Fields, ResolveRequest } from "../../src/core/provider.ts";
import type { Secret } from "../../src/core/secret.ts";
import { UserError } from "../../src/errors.ts";
import { errorsOf, expectOk, type Reply } from "./failure.ts";
import { fieldsOf } from "./fields.ts";
import { ask, type Session } from "./session.ts";
import { asObject, flagOf, type Json, malformed, member, numberOf, objectIn, textOf } from "./shape.ts";

/** A KV mount, version 1 or 2. Its own name for itself; `path` below is what follows it. */
export interface KvMount {
  readonly path: string;
  readonly version: 1 | 2;
}

/** One read: every field of a path at one moment. */
export interface Reading {
  readonly fields: ReadonlyMap<string, Secret>;
  /** Absent in KV v1. */
  readonly version?: number;
}

/** What became of a version. A deleted one can be brought back, a destroyed one cannot. */
export type Fate = "live" | "deleted" | "destroyed";

/**
 * @throws UserError secret-not-found, secret-deleted (deleted or destroyed: the message says which), or why there was
 * no answer
 */
export async function readKv(
  session: Session,
  mount: KvMount,
  path: string,
  request: ResolveRequest & { readonly version?: number },
): Promise<Reading> {
  const { client, store } = session;
  if (mount.version === 1) {
    const reply = await client.read(`${mount.path}/${path}`, ask(session, request));
    if (reply.status === 404) throw missing(store, `${mount.path}/${path}`);
    return { fields: fieldsOf(objectIn(store, expectOk(store, reply), "data")) };
  }
  const query = request.version === undefined ? undefined : { version: String(request.version) };
  const reply = await client.read(`${mount.path}/data/${path}`, ask(session, request), query);
  if (reply.status === 404) throw goneOrMissing(store, `${mount.path}/${path}`, reply);
  return readingOf(store, expectOk(store, reply));
}

function readingOf(store: string, reply: Reply): Reading {
  const outer = objectIn(store, reply, "data");
  const data = asObject(member(outer, "data"));
  const version = numberOf(asObject(member(outer, "metadata")), "version");
  if (data === undefined || version === undefined) throw malformed(store, reply);
  return { fields: fieldsOf(data), version };
}

/**
 * Writes `fields` as the whole secret and returns its version. `ifVersion` is the version that must be current; 0 means
 * that nothing is there that could be read (KV v2 itself counts on from a deleted version: so do we).
 * KV v1 has no compare-and-swap: there the check is a read just before the write.
 * @throws UserError secret-exists
 */
export async function writeKv(
  session: Session,
  mount: KvMount,
  path: string,
  write: { readonly fields: Fields; readonly ifVersion: number; readonly request: ResolveRequest },
): Promise<number> {
  const data = Object.fromEntries(Object.entries(write.fields).map(([name, secret]) => [name, secret.expose()]));
  if (mount.version === 1) return writeV1(session, mount, path, { ...write, data });
  const reply = await writeV2(session, mount, path, { ...write, data });
  const version = numberOf(objectIn(session.store, expectOk(session.store, reply), "data"), "version");
  if (version === undefined) throw malformed(session.store, reply);
  return version;
}

interface Write {
  readonly data: Readonly<Record<string, string>>;
  readonly ifVersion: number;
  readonly request: ResolveRequest;
}

async function writeV1(session: Session, mount: KvMount, path: string, write: Write): Promise<number> {
  const place = `${mount.path}/${path}`;
  const before = await session.client.read(place, ask(session, write.request));
  if (before.status !== 404) expectOk(session.store, before);
  if ((before.status === 200 ? 1 : 0) !== write.ifVersion) throw lostRace(session.store, place);
  expectOk(session.store, await session.client.write(place, write.data, ask(session, write.request)));
  return 1;
}

async function writeV2(session: Session, mount: KvMount, path: string, write: Write): Promise<Reply> {
  const put = (cas: number) => {
    const body = { options: { cas }, data: write.data };
    return session.client.write(`${mount.path}/data/${path}`, body, ask(session, write.request));
  };
  const reply = await put(write.ifVersion);
  if (!isLostRace(reply)) return reply;
  const metadata = await readMetadata(session, mount, path, write.request);
  if (metadata !== undefined && (await isOurs(session, mount, path, { write, metadata, repeated: reply.repeated }))) {
    return { ...reply, status: 200, body: { data: { version: metadata.current } } };
  }
  const deleted = metadata !== undefined && write.ifVersion === 0 && metadata.fate(metadata.current) !== "live";
  const again = deleted ? await put(metadata.current) : reply;
  if (isLostRace(again)) throw lostRace(session.store, `${mount.path}/${path}`);
  return again;
}

/**
 * A write whose answer was lost is sent again and then loses against itself: the next version with our data in it is
 * our own.
 */
async function isOurs(
  session: Session,
  mount: KvMount,
  path: string,
  { write, metadata, repeated }: { write: Write; metadata: Metadata; repeated: boolean },
): Promise<boolean> {
  if (!repeated || metadata.fate(metadata.current) !== "live") return false;
  const reading = await readKv(session, mount, path, write.request);
  const names = Object.keys(write.data);
  if (reading.version !== metadata.current || reading.fields.size !== names.length) return false;
  return names.every((name) => reading.fields.get(name)?.expose() === write.data[name]);
}

/** Removes every version. @throws UserError secret-not-found */
export async function removeKv(session: Session, mount: KvMount, path: string, request: ResolveRequest): Promise<void> {
  const { client, store } = session;
  const place = mount.version === 1 ? `${mount.path}/${path}` : `${mount.path}/metadata/${path}`;
  // A delete of nothing answers 204.
  const before = await client.read(place, ask(session, request));
  if (before.status === 404) throw missing(store, `${mount.path}/${path}`);
  expectOk(store, before);
  expectOk(store, await client.delete(place, ask(session, request)));
}

/** What KV v2 keeps about a path beside its values. */
export interface Metadata {
  readonly current: number;
  readonly maxVersions: number;
  readonly deleteAfter: string;
  /** Milliseconds since the epoch. */
  readonly updatedAt: number;
  readonly versions: readonly number[];
  fate(version: number): Fate | undefined;
}

/** Undefined where the path does not exist. */
export async function readMetadata(
  session: Session,
  mount: KvMount,
  path: string,
  request: ResolveRequest,
): Promise<Metadata | undefined> {
  const reply = await session.client.read(`${mount.path}/metadata/${path}`, ask(session, request));
  if (reply.status === 404) return undefined;
  return metadataOf(session, reply);
}

function metadataOf(session: Session, reply: Reply): Metadata {
  const data = objectIn(session.store, expectOk(session.store, reply), "data");
  const versions = asObject(member(data, "versions"));
  const current = numberOf(data, "current_version");
  if (versions === undefined || current === undefined) throw malformed(session.store, reply);
  return {
    current,
    maxVersions: numberOf(data, "max_versions") ?? 0,
    deleteAfter: textOf(data, "delete_version_after") ?? "0s",
    updatedAt: Date.parse(textOf(data, "updated_time") ?? "") || 0,
    versions: Object.keys(versions).map(Number),
    fate: (version) => fateOf(asObject(member(versions, String(version))), session.now()),
  };
}

/** A version that ends by `delete_version_after` carries its future end as `deletion_time`. */
function fateOf(version: Json | undefined, now: number): Fate | undefined {
  if (version === undefined) return undefined;
  if (flagOf(version, "destroyed")) return "destroyed";
  const deletion = textOf(version, "deletion_time");
  return deletion !== undefined && Date.parse(deletion) <= now ? "deleted" : "live";
}

/** The 404 of a deleted or destroyed version has a body that says so; the 404 of nothing has none. */
function goneOrMissing(store: string, place: string, reply: Reply): UserError {
  const metadata = asObject(member(asObject(member(asObject(reply.body), "data")), "metadata"));
  if (metadata === undefined) return missing(store, place);
  const version = numberOf(metadata, "version") ?? 0;
  if (flagOf(metadata, "destroyed")) {
    return new UserError("secret-deleted", `store ${store}: version ${version} of ${place} was destroyed`, {
      hint: "it cannot be brought back: store a new value with mcp-secrets set",
    });
  }
  const { mount, rest } = splitPlace(place);
  return new UserError("secret-deleted", `store ${store}: version ${version} of ${place} was deleted`, {
    hint: `bring it back with: bao kv undelete -mount=${mount} -versions=${version} ${rest}`,
  });
}

function splitPlace(place: string): { mount: string; rest: string } {
  const slash = place.indexOf("/");
  return { mount: place.slice(0, slash), rest: place.slice(slash + 1) };
}

function missing(store: string, place: string): UserError {
  return new UserError("secret-not-found", `store ${store} has no ${place}`, {
    hint: "store it with mcp-secrets set, or look with: mcp-secrets list",
  });
}

function isLostRace(reply: Reply): boolean {
  return reply.status === 400 && errorsOf(reply).some((text) => text.includes("check-and-set parameter did not match"));
}

function lostRace(store: string, place: string): UserError {
  return new UserError("secret-exists", `store ${store}: ${place} was changed by somebody else`, {
    hint: "look at what is there now, then try again",
  });
}
