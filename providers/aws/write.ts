import type { Fields, ResolveRequest, SecretOrigin } from "../../src/core/provider.ts";
import { UserError } from "../../src/errors.ts";
import type { SecretsApi } from "./client.ts";
import { formatContent } from "./content.ts";
import { tagValue } from "./names.ts";
import type { AwsSettings } from "./settings.ts";
import { CURRENT, labelFor, nextNumber, numberOf, type Staged, stagedOf, tokenFor } from "./versions.ts";

/** What a write needs beside the secret. */
export interface Writer {
  readonly store: string;
  readonly api: SecretsApi;
  readonly settings: AwsSettings;
  readonly key: Buffer;
}

export interface Write {
  readonly fields: Fields;
  readonly ifVersion: number;
  readonly origin?: SecretOrigin | undefined;
  readonly request: ResolveRequest;
}

/**
 * Stores `fields` as the whole secret and returns its number. `ifVersion` is the version that must be current; 0 means
 * that there is none that could be read.
 *
 * The service compares nothing when it takes a value, but it does when it moves a label: a new version is stored under a
 * label of its own, then `AWSCURRENT` is moved to it from the version that must hold it, which only one of several
 * writers can do. The same write again, after a crash or a lost answer, finds what it left and goes on from there.
 * @throws UserError secret-exists where another version is current
 */
export async function writeSecret(writer: Writer, name: string, write: Write): Promise<number> {
  const content = formatContent(writer.store, name, write.fields);
  if (write.ifVersion === 0 && (await create(writer, name, content, write))) return 1;
  const staged = stagedOf((await describe(writer, name, write.request)).VersionIdsToStages);
  const { current } = staged;
  if (current !== undefined && isOurs(writer, name, { staged, content, ifVersion: write.ifVersion })) {
    await unlabel(writer, name, { token: current, staged, request: write.request });
    return numberOf(current);
  }
  if ((current === undefined ? 0 : numberOf(current)) !== write.ifVersion) throw lostRace(writer.store, name);
  return update(writer, name, { staged, content, request: write.request });
}

/** False where the secret exists: the service says so, or answers an earlier try of ours as it did then. */
async function create(writer: Writer, name: string, content: string, write: Write): Promise<boolean> {
  const { kmsKeyId } = writer.settings;
  try {
    await writer.api.create(
      {
        Name: name,
        SecretString: content,
        ClientRequestToken: tokenFor(writer.key, name, 1, content),
        Tags: tagsOf(writer.settings, name, write.origin),
        ...(kmsKeyId !== undefined && { KmsKeyId: kmsKeyId }),
      },
      write.request,
    );
    return true;
  } catch (error) {
    if (error instanceof UserError && error.code === "secret-exists") return false;
    throw error;
  }
}

async function describe(writer: Writer, name: string, request: ResolveRequest) {
  try {
    const description = await writer.api.describe(name, request);
    if (description.DeletedDate === undefined) return description;
  } catch (error) {
    if (error instanceof UserError && error.code === "secret-not-found") throw lostRace(writer.store, name);
    throw error;
  }
  throw pendingDeletion(writer.store, name);
}

export function pendingDeletion(store: string, name: string): UserError {
  return new UserError("secret-deleted", `store ${store}: ${name} is scheduled for deletion`, {
    hint: `bring it back with: aws secretsmanager restore-secret --secret-id ${name}`,
  });
}

/** True where the current version is this very write, done before: same content, and made over the same version. */
function isOurs(
  writer: Writer,
  name: string,
  { staged, content, ifVersion }: { staged: Staged; content: string; ifVersion: number },
): boolean {
  const { current, previous } = staged;
  if (current === undefined || current !== tokenFor(writer.key, name, numberOf(current), content)) return false;
  return (previous === undefined ? 0 : numberOf(previous)) === ifVersion;
}

async function update(
  writer: Writer,
  name: string,
  { staged, content, request }: { staged: Staged; content: string; request: ResolveRequest },
): Promise<number> {
  const { api, store } = writer;
  const { token, number } = candidate(writer, name, staged, content);
  if (staged.current === undefined) {
    // Nothing to move the label from, and nothing that could be lost.
    await api.put(
      { SecretId: name, SecretString: content, ClientRequestToken: token, VersionStages: [CURRENT] },
      request,
    );
    return number;
  }
  const label = labelFor(token);
  await api.put({ SecretId: name, SecretString: content, ClientRequestToken: token, VersionStages: [label] }, request);
  try {
    await api.moveStage(
      { SecretId: name, VersionStage: CURRENT, MoveToVersionId: token, RemoveFromVersionId: staged.current },
      request,
    );
  } catch (error) {
    if (!(error instanceof UserError) || error.code !== "refused") throw error;
    // The answer to a move that was done may have been lost, and the move refused when it came again.
    if (stagedOf((await describe(writer, name, request)).VersionIdsToStages).current !== token) {
      await unlabel(writer, name, { token, staged: undefined, request });
      throw lostRace(store, name);
    }
  }
  await unlabel(writer, name, { token, staged: undefined, request });
  return number;
}

/** A version that a crash left under its label is taken up again; else the next number. */
function candidate(writer: Writer, name: string, staged: Staged, content: string): { token: string; number: number } {
  for (const id of staged.all.keys()) {
    const number = numberOf(id);
    const left =
      staged.all.get(id)?.includes(labelFor(id)) === true && tokenFor(writer.key, name, number, content) === id;
    if (left) return { token: id, number };
  }
  const number = nextNumber(staged);
  return { token: tokenFor(writer.key, name, number, content), number };
}

/** A version that keeps a label counts against the quota of 100 for ever. Where it fails, the next write does it. */
async function unlabel(
  writer: Writer,
  name: string,
  { token, staged, request }: { token: string; staged: Staged | undefined; request: ResolveRequest },
): Promise<void> {
  const label = labelFor(token);
  if (staged !== undefined && staged.all.get(token)?.includes(label) !== true) return;
  try {
    await writer.api.moveStage({ SecretId: name, VersionStage: label, RemoveFromVersionId: token }, request);
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
  }
}

/** `migrate` names a secret after its server: the first segment of its path. */
function tagsOf(settings: AwsSettings, name: string, origin: SecretOrigin = {}): { Key: string; Value: string }[] {
  const [server, ...rest] = name.slice(settings.prefix.length).split("/");
  const tags = {
    managed: "true",
    server: origin.server ?? (rest.length === 0 ? undefined : server),
    client: origin.client,
    owner: settings.owner,
  };
  return Object.entries(tags).flatMap(([tag, value]) =>
    value === undefined || value === "" ? [] : [{ Key: `mcp-secrets:${tag}`, Value: tagValue(value) }],
  );
}

function lostRace(store: string, name: string): UserError {
  return new UserError("secret-exists", `store ${store}: ${name} was changed by somebody else`, {
    hint: "look at what is there now, then try again",
  });
}
