import type { ResolveRequest, StoreOptions } from "../../src/core/provider.ts";
import { Secret } from "../../src/core/secret.ts";
import { UserError } from "../../src/errors.ts";
import type { Client } from "./client.ts";
import { expectOk } from "./failure.ts";
import { objectIn, textOf } from "./shape.ts";
import { once, readState, writeState } from "./state.ts";
import { type Credential, expandHome, identify, originOf, readCredential } from "./credential.ts";

/**
 * The secret id that a wrapping token in `file` stands for. The token works once: the first launch unwraps it and keeps
 * the secret id, 0600, under the home of mcp-secrets; the others take it from there until a new token is delivered.
 * @param creationPath where a genuine token was made: `auth/approle/role/ROLE/secret-id`
 * @throws UserError store-incident where the token was used before, ended, or was made elsewhere
 */
export function unwrapSecretId(
  options: StoreOptions,
  client: Client,
  file: string,
  { creationPath, request }: { creationPath: string; request: ResolveRequest },
): Promise<Credential> {
  const look = () => kept(options, file);
  const work = async () => {
    const wrapping = readCredential(options, file);
    await checkOrigin(options, client, wrapping.value, { file, creationPath, request });
    const secretId = await unwrap(options, client, wrapping.value, { file, request });
    await writeState(options, "secret-id", { origin: wrapping.origin, secretId });
    return { value: new Secret(secretId), origin: wrapping.origin };
  };
  return once(options, "secret-id", { look, work, deadline: request.deadline });
}

function kept(options: StoreOptions, file: string): Credential | undefined {
  const state = readState(options, "secret-id");
  const origin = textOf(state, "origin");
  const secretId = textOf(state, "secretId");
  if (origin === undefined || secretId === undefined) return undefined;
  const delivered = identify(options, expandHome(options, file));
  // Whoever delivers may take the used token away.
  if (delivered !== undefined && originOf(delivered) !== origin) return undefined;
  return { value: new Secret(secretId), origin };
}

/** Looks where the token was made before it is used up: one that was made elsewhere carries somebody else's secret. */
async function checkOrigin(
  options: StoreOptions,
  client: Client,
  token: Secret,
  { file, creationPath, request }: { file: string; creationPath: string; request: ResolveRequest },
): Promise<void> {
  const patience = { deadline: request.deadline, signal: request.signal, repeatable: true };
  const reply = await client.write("sys/wrapping/lookup", { token: token.expose() }, patience);
  if (reply.status === 400 || reply.status === 403) throw usedUp(options, file);
  const made = textOf(objectIn(options.store, expectOk(options.store, reply), "data"), "creation_path");
  if (made !== creationPath)
    throw incident(options, file, `was made at ${made ?? "no known path"}, not ${creationPath}`);
}

async function unwrap(
  options: StoreOptions,
  client: Client,
  token: Secret,
  { file, request }: { file: string; request: ResolveRequest },
): Promise<string> {
  const patience = { token, deadline: request.deadline, signal: request.signal, repeatable: false };
  const reply = await client.write("sys/wrapping/unwrap", {}, patience);
  if (reply.status === 400 || reply.status === 403) throw usedUp(options, file);
  const secretId = textOf(objectIn(options.store, expectOk(options.store, reply), "data"), "secret_id");
  return secretId ?? raise(incident(options, file, "held no secret id"));
}

function usedUp(options: StoreOptions, file: string): UserError {
  return incident(
    options,
    file,
    "was used before or has ended: if you did not use it, somebody else has the secret id",
  );
}

function incident(options: StoreOptions, file: string, what: string): UserError {
  return new UserError("store-incident", `store ${options.store}: incident: the wrapped secret id in ${file} ${what}`, {
    hint: "destroy the secret id at the vault, look into its audit log, and deliver a new one",
  });
}

function raise(error: UserError): never {
  throw error;
}
