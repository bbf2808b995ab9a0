import { Secret } from "../../../core/secret.ts";
import { UserError } from "../../../errors.ts";
import type { RotationRequest, TargetOptions } from "../../target.ts";
import { lost, refused, unreachable } from "../failure.ts";
import { pause } from "../pause.ts";
import { type AwsKey, type AwsService, awsQuery, membersIn, textIn } from "./query.ts";

/** The access keys of one user. */
export interface Iam {
  /** @throws UserError target-refused where two keys are there already, or the current one is another user's */
  create(signer: AwsKey, current: string, request: RotationRequest): Promise<{ id: string; secret: Secret }>;
  /** Removes the key that `create` made in this rotation, also where the answer was lost. */
  discard(signer: AwsKey, current: string, request: RotationRequest): Promise<void>;
  /** Makes a key inactive, waits, and deletes it; one that is gone is no error. */
  remove(signer: AwsKey, id: string, request: RotationRequest): Promise<void>;
}

export interface IamPlace {
  readonly user: string;
  readonly iam: AwsService;
  /** Seconds. */
  readonly inactive: number;
}

/** IAM allows no more (IAM and AWS STS quotas). */
const MOST_KEYS = 2;
/** Keys cannot be tagged: what a rotation is about to make is written down in a tag of the user. */
const TAG = "mcp-secrets:rotation";
/** Milliseconds that a clock may be off: AWS takes no request that is off by more. */
const SKEW = 5 * 60_000;

interface Key {
  readonly id: string;
  readonly active: boolean;
  readonly created: number;
}

interface Asking extends IamPlace {
  readonly options: Pick<TargetOptions, "ref" | "http" | "now">;
}

export function createIam(place: IamPlace, options: Asking["options"]): Iam {
  const asking = { ...place, options };
  return {
    create: (signer, current, request) => create(asking, signer, current, request),
    discard: (signer, current, request) => discard(asking, signer, current, request),
    remove: (signer, id, request) => remove(asking, signer, id, request),
  };
}

async function create(asking: Asking, signer: AwsKey, current: string, request: RotationRequest) {
  const { ref, now } = asking.options;
  const keys = await list(asking, signer, request);
  if (!keys.some(({ id }) => id === current)) {
    throw refused(ref, `${current} is no key of user ${asking.user}`, "name its user in the rotation, in config.jsonc");
  }
  if (keys.length >= MOST_KEYS) throw await fullHouse(asking, signer, keys, request);
  const intent = { id: request.id, from: now(), until: request.deadline, known: keys.map(({ id }) => id) };
  await ask(asking, signer, { action: "TagUser", parameters: tagOf(intent) }, request);
  const made = await ask(asking, signer, { action: "CreateAccessKey", makes: true }, request);
  const id = textIn(made, "AccessKeyId");
  const secret = textIn(made, "SecretAccessKey");
  if (id === undefined || secret === undefined) throw lost(ref, "CreateAccessKey: the answer has no key");
  // What is known by its id need not be guessed, should the rotation come to nothing.
  await tried(ask(asking, signer, { action: "TagUser", parameters: tagOf({ ...intent, made: id }) }, request));
  return { id, secret: new Secret(secret) };
}

async function discard(asking: Asking, signer: AwsKey, current: string, request: RotationRequest): Promise<void> {
  const intent = await readIntent(asking, signer, request);
  if (intent === undefined || intent.id !== request.id) return;
  const keys = (await list(asking, signer, request)).filter(({ id }) => id !== current && !intent.known.includes(id));
  for (const key of keys) {
    // Two at most, and each step only after the one before.
    if (!(await isOurs(asking, signer, { key, intent, request }))) continue;
    await deactivate(asking, signer, key.id, request);
    await forget(asking, signer, key.id, request);
  }
}

/**
 * A key is that of a lost answer where it was not there when the intent was written, was made in its time, and was never
 * used: whoever uses a key has its value, and of this one nobody has.
 */
async function isOurs(
  asking: Asking,
  signer: AwsKey,
  { key, intent, request }: { key: Key; intent: Intent; request: RotationRequest },
): Promise<boolean> {
  if (intent.made !== undefined) return key.id === intent.made;
  const inTime = key.created >= intent.from - SKEW && key.created <= intent.until + SKEW;
  return inTime && (await lastUse(asking, signer, key.id, request)) === undefined;
}

async function remove(asking: Asking, signer: AwsKey, id: string, request: RotationRequest): Promise<void> {
  const { ref, now } = asking.options;
  const key = (await list(asking, signer, request)).find((one) => one.id === id);
  if (key !== undefined) {
    if (signer.id === id) throw new Error("a key that is to end signs its own end");
    if (key.active) {
      await deactivate(asking, signer, id, request);
      const wait = asking.inactive * 1000;
      if (now() + wait >= request.deadline) throw unreachable(ref, `${id} is inactive; there was no time to delete it`);
      await pause(wait, request.signal);
    }
    await forget(asking, signer, id, request);
  }
  await tried(ask(asking, signer, { action: "UntagUser", parameters: { "TagKeys.member.1": TAG } }, request));
}

async function deactivate(asking: Asking, signer: AwsKey, id: string, request: RotationRequest): Promise<void> {
  const parameters = { AccessKeyId: id, Status: "Inactive" };
  await ask(asking, signer, { action: "UpdateAccessKey", parameters, gone: true }, request);
}

async function forget(asking: Asking, signer: AwsKey, id: string, request: RotationRequest): Promise<void> {
  await ask(asking, signer, { action: "DeleteAccessKey", parameters: { AccessKeyId: id }, gone: true }, request);
}

/** For what only tidies up, or spares a guess later. */
async function tried(work: Promise<unknown>): Promise<void> {
  try {
    await work;
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
  }
}

async function list(asking: Asking, signer: AwsKey, request: RotationRequest): Promise<Key[]> {
  const xml = await ask(asking, signer, { action: "ListAccessKeys" }, request);
  return membersIn(xml).map((member) => ({
    id: textIn(member, "AccessKeyId") ?? "",
    active: textIn(member, "Status") !== "Inactive",
    created: Date.parse(textIn(member, "CreateDate") ?? ""),
  }));
}

/** When a key was used last, as the service has it; undefined where it never was. */
async function lastUse(asking: Asking, signer: AwsKey, id: string, request: RotationRequest) {
  const xml = await ask(
    asking,
    signer,
    { action: "GetAccessKeyLastUsed", parameters: { AccessKeyId: id }, own: false },
    request,
  );
  return textIn(xml, "LastUsedDate");
}

async function fullHouse(asking: Asking, signer: AwsKey, keys: readonly Key[], request: RotationRequest) {
  const told = await Promise.all(
    keys.map(async ({ id, active }) => {
      const used = await lastUse(asking, signer, id, request);
      return `${id} (${active ? "active" : "inactive"}, ${used === undefined ? "never used" : `last used ${used}`})`;
    }),
  );
  return refused(
    asking.options.ref,
    `user ${asking.user} has ${keys.length} keys, and IAM allows no third: ${told.join(", ")}`,
    `end the one that nobody needs: aws iam update-access-key --user-name ${asking.user} --status Inactive --access-key-id ID, then aws iam delete-access-key`,
  );
}

interface Intent {
  readonly id: string;
  /** Milliseconds since the epoch: when the key was asked for at the earliest, and at the latest. */
  readonly from: number;
  readonly until: number;
  /** The keys that were there before. */
  readonly known: readonly string[];
  /** The key that was made, once it is known. */
  readonly made?: string;
}

/** A tag's value takes 256 letters, digits, spaces and `_.:/=+-@`. */
function tagOf({ id, from, until, known, made }: Intent): Readonly<Record<string, string>> {
  const all = made === undefined ? known : [...known, `+${made}`];
  const value = [id, String(from), String(until), ...all].join(" ");
  return { "Tags.member.1.Key": TAG, "Tags.member.1.Value": value };
}

async function readIntent(asking: Asking, signer: AwsKey, request: RotationRequest): Promise<Intent | undefined> {
  const xml = await ask(asking, signer, { action: "ListUserTags" }, request);
  const tag = membersIn(xml).find((member) => textIn(member, "Key") === TAG);
  const [id = "", from = "", until = "", ...keys] = (textIn(tag ?? "", "Value") ?? "").split(" ");
  if (id === "" || keys.length === 0) return undefined;
  const made = keys.find((key) => key.startsWith("+"))?.slice(1);
  const known = keys.filter((key) => !key.startsWith("+"));
  return { id, from: Number(from), until: Number(until), known, ...(made !== undefined && { made }) };
}

interface Ask {
  readonly action: string;
  readonly parameters?: Readonly<Record<string, string>>;
  /** Makes something anew each time that it is asked. */
  readonly makes?: boolean;
  /** That the key is gone is as good. */
  readonly gone?: boolean;
  /** False where the service wants no user's name. */
  readonly own?: boolean;
}

async function ask(
  { options: { ref, http, now }, user, iam }: Asking,
  signer: AwsKey,
  { action, parameters = {}, makes = false, gone = false, own = true }: Ask,
  { deadline, signal }: RotationRequest,
): Promise<string> {
  const all = { Action: action, ...(own && { UserName: user }), ...parameters };
  const outcome = await awsQuery(iam, signer, all, { http, now: now(), deadline, signal });
  if (outcome.type === "done") return outcome.xml;
  if (outcome.type === "none") {
    const tell = makes && outcome.sent ? lost : unreachable;
    throw tell(ref, `IAM ${action}: ${outcome.reason}`);
  }
  if (gone && outcome.code === "NoSuchEntity") return "";
  throw refused(ref, `IAM ${action}: ${saidBy(outcome)}`, hintFor(outcome.code, action, user));
}

/** About a signature the service says what it should have been made of, a session's token among it. */
function saidBy({ code, message }: { readonly code: string; readonly message: string }): string {
  return code.includes("Signature") ? code : `${code}: ${message}`;
}

function hintFor(code: string, action: string, user: string): string {
  if (code.startsWith("AccessDenied")) return `grant iam:${action} on user ${user} to the key that rotates`;
  if (/^(InvalidClientTokenId|SignatureDoesNotMatch)/.test(code))
    return "the key that rotates is not valid any more: set a new one";
  return `see what is there: aws iam list-access-keys --user-name ${user}`;
}
