import type { NativeRotation, NativeStatus, ResolveRequest } from "../../src/core/provider.ts";
import { formatRef } from "../../src/core/ref.ts";
import { readSettingsAt } from "../../src/core/settings-reader.ts";
import { UserError } from "../../src/errors.ts";
import { expectOk } from "./failure.ts";
import { placeOf } from "./mounts.ts";
import { ask, type Session } from "./session.ts";
import type { VaultSettings } from "./settings.ts";
import { objectIn, numberOf, textOf } from "./shape.ts";

/**
 * Rotation by the server: of the password of a static role, of the root user that a database mount logs in with, and the
 * end of all that a dynamic role has given out.
 */
export interface EngineRotation {
  readonly kind: "static" | "root" | "dynamic";
  /** The path that the engine is mounted at. */
  readonly engine: string;
  readonly name: string;
  /** `mcp-secret://…`, for messages. */
  readonly shown: string;
  /** The user's word for what cannot be undone. */
  readonly consent: boolean;
}

/** Work in the name of the store's login. */
export type Within = <T>(request: ResolveRequest, work: (session: Session) => Promise<T>) => Promise<T>;

const KINDS: Readonly<Record<string, EngineRotation["kind"]>> = {
  "static-creds": "static",
  config: "root",
  creds: "dynamic",
};
/** What a setting must say yes to. */
const CONSENT = { static: undefined, root: "oneWay", dynamic: "revokeAll" } as const;

/** @throws UserError config-invalid, or refused where nothing at that path is rotated by the server */
export function engineRotation(store: string, settings: VaultSettings, path: string, given: unknown): EngineRotation {
  const { mount, rest } = placeOf(store, path, settings.mounts);
  // A mount of the settings may reach into the engine: `database/creds`.
  const [, engine = "", word = "", name = ""] = /^(.+)\/([a-z-]+)\/([^/]+)$/.exec(`${mount.path}/${rest}`) ?? [];
  const kind = Object.hasOwn(KINDS, word) ? KINDS[word] : undefined;
  const shown = formatRef({ store, path });
  if (mount.type !== "engine" || kind === undefined) {
    throw new UserError("refused", `${shown}: nothing there is rotated by the server itself`, {
      hint: "the server rotates ENGINE/static-creds/ROLE, ENGINE/config/NAME and ENGINE/creds/ROLE of a database engine",
    });
  }
  const consent = readSettingsAt(`rotation.${shown}`, given, (reader) => {
    const setting = CONSENT[kind];
    return setting === undefined || reader.flag(setting) === true;
  });
  return { kind, engine, name, shown, consent };
}

export function rotationAt(place: EngineRotation, within: Within): NativeRotation {
  return {
    class: place.kind === "dynamic" ? "E" : "X",
    status: (request) => within(request, (session) => statusOf(place, session, request)),
    async rotate(_, request) {
      if (!place.consent) throw noConsent(place);
      return within(request, (session) => rotate(place, session, request));
    },
  };
}

/** Asked once: the server takes no name for a rotation, and a second one would come on top. */
async function rotate(place: EngineRotation, session: Session, request: ResolveRequest): Promise<NativeStatus> {
  const { kind, engine, name } = place;
  const path = {
    static: `${engine}/rotate-role/${name}`,
    root: `${engine}/rotate-root/${name}`,
    dynamic: `sys/leases/revoke-prefix/${engine}/creds/${name}`,
  }[kind];
  const body = kind === "dynamic" ? { sync: true } : {};
  expectOk(session.store, await session.client.write(path, body, ask(session, request, kind === "dynamic")));
  return statusOf(place, session, request);
}

async function statusOf(place: EngineRotation, session: Session, request: ResolveRequest): Promise<NativeStatus> {
  // Of a root or of leases the server tells no time.
  if (place.kind !== "static") return { type: "idle" };
  const path = `${place.engine}/static-roles/${place.name}`;
  const reply = expectOk(session.store, await session.client.read(path, ask(session, request)));
  const role = objectIn(session.store, reply, "data");
  const rotatedAt = Date.parse(textOf(role, "last_vault_rotation") ?? "");
  const period = numberOf(role, "rotation_period");
  if (Number.isNaN(rotatedAt)) return { type: "idle" };
  return { type: "idle", rotatedAt, ...(period !== undefined && { nextAt: rotatedAt + period * 1000 }) };
}

function noConsent({ shown, kind }: EngineRotation): UserError {
  const why =
    kind === "root"
      ? "nobody can read the new password of that user back, whoever else logs in with it is locked out"
      : "each launch gets a credential of its own, and nothing is kept; rotating means to end all that were given out";
  return new UserError("refused", `${shown}: ${why}`, {
    hint: `if that is wanted, set "${CONSENT[kind] ?? ""}": true in rotation.${shown} of config.jsonc`,
  });
}
