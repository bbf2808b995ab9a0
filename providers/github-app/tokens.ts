import { randomBytes } from "node:crypto";
import { join } from "node:path";
import type { Files } from "../../src/core/files.ts";
import type { ResolveRequest } from "../../src/core/provider.ts";
import type { Seal } from "../../src/core/seal.ts";
import { Secret } from "../../src/core/secret.ts";
import { UserError } from "../../src/errors.ts";
import type { Api } from "./api.ts";
import { type Level, LEVELS, type TokenSettings } from "./settings.ts";

/** A token of the installation. */
export interface InstallationToken {
  readonly value: Secret;
  /** Milliseconds since the epoch: an hour from its making. */
  readonly expiresAt: number;
}

export interface TokenOptions {
  readonly store: string;
  readonly installation: number;
  readonly api: Api;
  /** A JWT in the name of the app. */
  readonly appToken: () => Secret;
}

/** A token whose answer is lost lives for an hour, and nobody has it: that is risked once. */
const UNSURE_MINTS = 2;
const UNSURE_REVOKES = 5;

/**
 * A token for these repositories with these permissions and no others. Its length and its form are GitHub's to change.
 * @throws UserError why there is none
 */
export async function mintToken(
  { store, installation, api, appToken }: TokenOptions,
  { repositories, permissions }: TokenSettings,
  request: ResolveRequest,
): Promise<InstallationToken> {
  const answer = await api.send(
    {
      method: "POST",
      path: `/app/installations/${installation}/access_tokens`,
      bearer: appToken,
      body: { permissions, ...(repositories !== "all" && { repositories }) },
      unsure: UNSURE_MINTS,
    },
    request,
  );
  const token = readToken(store, answer);
  const more = beyond(answer, permissions);
  if (more === undefined) return token;
  await revokeToken(api, token.value, request);
  throw new UserError("store-answer", `store ${store}: the token may do more than it was asked for: ${more}`, {
    hint: `mcp-secrets store check ${store}`,
  });
}

/** Ends a token, in its own name; one that has ended is no error. @throws UserError */
export async function revokeToken(api: Api, token: Secret, request: ResolveRequest): Promise<void> {
  try {
    await api.send(
      { method: "DELETE", path: "/installation/token", bearer: () => token, unsure: UNSURE_REVOKES },
      request,
    );
  } catch (error) {
    if (!(error instanceof UserError) || error.code !== "store-login") throw error;
  }
}

function readToken(store: string, answer: unknown): InstallationToken {
  const { token, expires_at: ends } = asObject(answer);
  const expiresAt = typeof ends === "string" ? Date.parse(ends) : NaN;
  if (typeof token === "string" && /^[\x21-\x7e]+$/.test(token) && !Number.isNaN(expiresAt)) {
    return { value: new Secret(token), expiresAt };
  }
  throw new UserError("store-answer", `store ${store}: the answer has no token`, {
    hint: `something else than GitHub answers there: check stores.${store}.endpoint in config.jsonc`,
  });
}

/** What the answer grants beyond `asked`. GitHub adds reading of metadata to everything. */
function beyond(answer: unknown, asked: Readonly<Record<string, Level>>): string | undefined {
  const granted = Object.entries(asObject(asObject(answer)["permissions"]));
  const rank = (level: unknown) => LEVELS.findIndex((each) => each === level);
  const found = granted.find(([name, level]) => {
    const wanted = Object.hasOwn(asked, name) ? asked[name] : name === "metadata" ? "read" : undefined;
    return wanted === undefined || rank(level) < 0 || rank(level) > rank(wanted);
  });
  return found?.[0].replaceAll(/[^a-z_]/g, "?").slice(0, 60);
}

export function asObject(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? { ...value } : {};
}

/** Where tokens that are out are kept sealed, so that one whose launch is dead can be ended: only its holder can. */
export interface TokenVault {
  /** The id under which it is found again; durable when it is known. */
  keep(token: Secret): Promise<string>;
  /** undefined where it is not there any more. @throws UserError where it cannot be opened */
  find(id: string): Promise<Secret | undefined>;
  forget(id: string): void;
  /** Forgets what has ended by itself, and whose id a crash kept from the journal. */
  sweep(now: number): void;
}

/** Milliseconds that a token lives (REST API, "Create an installation access token for an app"). */
const LIFE = 3_600_000;

export function openTokenVault(files: Files, home: string, seal: () => Promise<Seal>): TokenVault {
  const folder = join(home, "journal", "github-app");
  const pathOf = (id: string) => join(folder, `${id}.age`);
  return {
    async keep(token) {
      const id = randomBytes(12).toString("hex");
      files.makePrivateDir(folder);
      const closed = await (await seal()).close(Buffer.from(token.expose()));
      await files.writePrivate(pathOf(id), closed);
      return id;
    },
    async find(id) {
      if (!/^[0-9a-f]{24}$/.test(id)) return undefined;
      const closed = files.readIfExists(pathOf(id));
      return closed === undefined ? undefined : new Secret((await seal()).open(closed).toString("utf8"));
    },
    forget: (id) => files.remove(pathOf(id)),
    sweep(now) {
      for (const name of files.list(folder)) {
        const madeAt = Number((files.look(join(folder, name))?.mtimeNs ?? 0n) / 1_000_000n);
        if (now - madeAt > LIFE) files.remove(join(folder, name));
      }
    },
  };
}
