import { isAddress } from "../../core/address.ts";
import type { Fields } from "../../core/provider.ts";
import { formatRef, isSegment, type SecretRef } from "../../core/ref.ts";
import { Secret } from "../../core/secret.ts";
import { readSettingsAt } from "../../core/settings-reader.ts";
import { UserError } from "../../errors.ts";
import type { MintTarget, RotationRequest, TargetOptions, Verdict } from "../target.ts";
import { type AwsKey, type AwsService, awsQuery, type QueryOutcome, textIn } from "./aws/query.ts";
import { createIam } from "./aws/iam.ts";
import { readAdmin } from "./login.ts";

/**
 * The access key of an IAM user. Two keys may be there at once (class O), never three, so that the old one is made
 * inactive and deleted in the same rotation.
 */
export interface IamSettings {
  /** The user that the key is of: no key of another is ever touched. */
  readonly user: string;
  /** A key that may manage this user's keys; where there is none, the key does so itself. */
  readonly admin?: SecretRef;
  readonly idField: string;
  readonly secretField: string;
  readonly iam: AwsService;
  readonly sts: AwsService;
  /** Seconds between inactive and deleted. */
  readonly inactive: number;
}

/** A key that was made a moment ago is not known everywhere yet. Milliseconds. */
const SETTLING = 20_000;
const INACTIVE = 10;
const MOST_INACTIVE = 60;
/** AWS judged the key, and does not take it. Anything else says nothing of it. */
const REJECTIONS: ReadonlySet<string> = new Set([
  "InvalidClientTokenId",
  "SignatureDoesNotMatch",
  "UnrecognizedClientException",
  "InvalidAccessKeyId",
]);

/** @throws UserError config-invalid */
export function open(options: TargetOptions): MintTarget {
  const settings = parseSettings(options);
  const iam = createIam(settings, options);
  const keyOf = (fields: Fields) => readKey(options.ref, fields, settings);
  const issuer = async (own: Fields): Promise<AwsKey> =>
    settings.admin === undefined ? keyOf(own) : adminKey(settings.admin, await options.lookUp(settings.admin));
  return {
    class: "O",
    kind: "mint",
    settling: SETTLING,
    async mint(request) {
      const key = keyOf(request.current);
      const made = await iam.create(await issuer(request.current), key.id, request);
      const { idField, secretField } = settings;
      return { ...request.current, [idField]: new Secret(made.id), [secretField]: made.secret };
    },
    discard: async (request) => iam.discard(await issuer(request.current), keyOf(request.current).id, request),
    test: (fields, request) => test(settings, options, keyOf(fields), request),
    // Signed by the key that takes its place: a key that ends itself could not be deleted any more.
    retire: async (old, request) => iam.remove(await issuer(request.current), keyOf(old).id, request),
  };
}

function parseSettings({ settings: given, ref }: TargetOptions): IamSettings {
  return readSettingsAt(`rotation.${formatRef(ref)}`, given, (settings) => {
    const region = settings.text("region", (text) => /^[a-z0-9-]{3,40}$/.test(text)) ?? "us-east-1";
    const admin = readAdmin(settings);
    const place = servicesOf(region);
    const endpoint = settings.text("endpoint", isAddress) ?? place.iam;
    const stsEndpoint = settings.text("stsEndpoint", isAddress) ?? place.sts;
    return {
      // As the API reference of CreateUser has it.
      user: settings.required("user", (text) => /^[\w+=,.@-]{1,64}$/.test(text)),
      idField: settings.text("idField", isSegment) ?? "access_key_id",
      secretField: settings.text("secretField", isSegment) ?? "secret_access_key",
      iam: { name: "iam", endpoint, region: place.iamRegion, version: "2010-05-08" },
      sts: { name: "sts", endpoint: stsEndpoint, region, version: "2011-06-15" },
      inactive: settings.number("inactive", 0, MOST_INACTIVE) ?? INACTIVE,
      ...(admin !== undefined && { admin }),
    };
  });
}

/** IAM is one for a whole partition, and signed for where it is (AWS General Reference, "IAM endpoints and quotas"). */
export function servicesOf(region: string): { readonly iam: string; readonly iamRegion: string; readonly sts: string } {
  if (region.startsWith("cn-")) {
    const sts = `https://sts.${region}.amazonaws.com.cn`;
    return { iam: "https://iam.cn-north-1.amazonaws.com.cn", iamRegion: "cn-north-1", sts };
  }
  const sts = `https://sts.${region}.amazonaws.com`;
  if (region.startsWith("us-gov-")) return { iam: "https://iam.us-gov.amazonaws.com", iamRegion: "us-gov-west-1", sts };
  return { iam: "https://iam.amazonaws.com", iamRegion: "us-east-1", sts };
}

function readKey(ref: SecretRef, fields: Fields, { idField, secretField }: IamSettings): AwsKey {
  const id = fields[idField];
  const secret = fields[secretField];
  if (id !== undefined && secret !== undefined) return { id: id.expose(), secret };
  throw new UserError("config-invalid", `${formatRef(ref)} has no fields ${idField} and ${secretField}`, {
    hint: "set idField and secretField of its rotation in config.jsonc to the fields that hold the key",
  });
}

function adminKey(
  ref: SecretRef,
  { access_key_id: id, secret_access_key: secret, session_token: token }: Fields,
): AwsKey {
  if (id !== undefined && secret !== undefined) {
    return { id: id.expose(), secret, ...(token !== undefined && { token }) };
  }
  throw new UserError("config-invalid", `${formatRef(ref)} has no fields access_key_id and secret_access_key`, {
    hint: `mcp-secrets set ${formatRef({ ...ref, field: "access_key_id" })}`,
  });
}

/**
 * Asks STS who the key is: needs no right, and says whether the key is taken and whose it is. Every key of a user has the
 * same rights, so that there are none to compare.
 */
async function test(
  { sts, user }: IamSettings,
  { http, now }: TargetOptions,
  key: AwsKey,
  { deadline, signal }: RotationRequest,
): Promise<Verdict> {
  const outcome = await awsQuery(sts, key, { Action: "GetCallerIdentity" }, { http, now: now(), deadline, signal });
  return judge(outcome, user);
}

function judge(outcome: QueryOutcome, user: string): Verdict {
  if (outcome.type === "none") return { type: "unreachable", reason: outcome.reason };
  if (outcome.type === "error") {
    return REJECTIONS.has(outcome.code) ? { type: "rejected" } : { type: "unreachable", reason: outcome.code };
  }
  // arn:aws:iam::ACCOUNT:user/PATH/NAME
  const arn = textIn(outcome.xml, "Arn") ?? "";
  const isUsers = /:user\/(?:.*\/)?([^/]+)$/.exec(arn)?.[1] === user;
  return isUsers ? { type: "valid" } : { type: "lacking", missing: [`being user ${user}`] };
}
