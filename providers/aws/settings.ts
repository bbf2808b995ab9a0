import { isAddress } from "../../src/core/address.ts";
import { isSegment } from "../../src/core/ref.ts";
import { readSettings, type SettingsReader } from "../../src/core/settings-reader.ts";

/** A store of kind `aws` in `config.jsonc`: where it is and in whose name, and no secret. */
export interface AwsSettings {
  /** Where there is none: `AWS_REGION`, then the profile's. */
  readonly region?: string;
  /** Where there is none, `AWS_PROFILE`, then the SDK's own order. */
  readonly profile?: string;
  /** In place of `~/.aws/credentials` and `~/.aws/config`. */
  readonly credentialsFile?: string;
  readonly configFile?: string;
  /** Stands before a reference's path in the name of a secret. */
  readonly prefix: string;
  /** The key that new secrets are encrypted with, instead of `aws/secretsmanager`. */
  readonly kmsKeyId?: string;
  /** Origins in place of those that the SDK knows: a VPC endpoint, an emulator. */
  readonly endpoint?: string;
  readonly stsEndpoint?: string;
  /** A role that is assumed before secrets are read or written; a launch gets one session of its own. */
  readonly storeRole?: RoleSettings;
  /** True to ask the metadata service of the machine (EC2) for credentials. */
  readonly imds: boolean;
  /** Days in which a removed secret can be brought back; 0 removes it at once. */
  readonly recoveryDays: number;
  /** Who answers for what is stored: becomes a tag. */
  readonly owner?: string;
  /** By the name that follows `role/` in a reference. */
  readonly roles: Readonly<Record<string, RoleSettings>>;
}

/** A role that a launch may assume. */
export interface RoleSettings {
  readonly arn: string;
  readonly externalId?: string;
  /** Seconds. */
  readonly duration: number;
  /** Narrows what the session may do: a policy document, and the ARNs of managed ones. */
  readonly policy?: Readonly<Record<string, unknown>>;
  readonly policyArns: readonly string[];
  /** False where the role's trust policy grants neither `sts:TagSession` nor `sts:SetSourceIdentity`. */
  readonly tagSession: boolean;
  /** Into the variables of the server, once; or by a loopback server that gives it fresh ones as long as it runs. */
  readonly deliver: "env" | "container-credentials";
}

/** Seconds: what STS allows (API reference of AssumeRole), and what it gives where it is not asked. */
const LEAST_DURATION = 900;
const MOST_DURATION = 43_200;
const DURATION = 3600;
/** DeleteSecret takes 7 to 30 days. */
const LEAST_RECOVERY = 7;
const MOST_RECOVERY = 30;

/**
 * The settings of a store, read strictly: an unknown or misspelt name is an error, because it might be a guard.
 * @throws UserError config-invalid, naming the setting and never its value
 */
export function parseAwsSettings(store: string, value: unknown): AwsSettings {
  return readSettings(store, value, (settings) => {
    const optional = {
      region: settings.text("region", (text) => /^[a-z0-9-]{3,40}$/.test(text)),
      profile: settings.text("profile"),
      credentialsFile: settings.text("credentialsFile"),
      configFile: settings.text("configFile"),
      kmsKeyId: settings.text("kmsKeyId", (text) => /^[A-Za-z0-9:/_-]{1,2048}$/.test(text)),
      endpoint: settings.text("endpoint", isAddress),
      stsEndpoint: settings.text("stsEndpoint", isAddress),
      owner: settings.text("owner", isTagValue),
      storeRole: readStoreRole(settings),
    };
    return {
      prefix: settings.text("prefix", isPrefix) ?? "",
      imds: settings.flag("imds") ?? false,
      recoveryDays: readRecovery(settings),
      roles: settings.table("roles", isSegment, readRole) ?? {},
      ...present(optional),
    };
  });
}

function readStoreRole(settings: SettingsReader): RoleSettings | undefined {
  const arn = settings.text("roleArn", isRoleArn);
  const externalId = settings.text("externalId", isExternalId);
  const tagSession = settings.flag("tagSession") ?? true;
  if (arn === undefined) return undefined;
  return { arn, duration: LEAST_DURATION, policyArns: [], tagSession, deliver: "env", ...present({ externalId }) };
}

function readRole(role: SettingsReader): RoleSettings {
  const optional = { externalId: role.text("externalId", isExternalId), policy: role.object("policy") };
  const deliver = role.choice("deliver", ["env", "container-credentials"]) ?? "env";
  return {
    arn: role.required("arn", isRoleArn),
    // What can be renewed need not live long.
    duration: role.number("duration", LEAST_DURATION, MOST_DURATION) ?? (deliver === "env" ? DURATION : LEAST_DURATION),
    deliver,
    policyArns: role.has("policyArns") ? role.texts("policyArns", isArn) : [],
    tagSession: role.flag("tagSession") ?? true,
    ...present(optional),
  };
}

function readRecovery(settings: SettingsReader): number {
  const days = settings.number("recoveryDays", 0, MOST_RECOVERY) ?? LEAST_RECOVERY;
  if (days > 0 && days < LEAST_RECOVERY) settings.fail("recoveryDays", "must be 0, or 7 to 30");
  return days;
}

/** Without the members that are undefined. */
function present<T extends Readonly<Record<string, unknown>>>(
  members: T,
): { [K in keyof T]?: Exclude<T[K], undefined> } {
  const kept = Object.entries(members).filter(([, value]) => value !== undefined);
  return Object.fromEntries(kept) as { [K in keyof T]?: Exclude<T[K], undefined> };
}

/** What a name may begin with; see `nameOf`. */
function isPrefix(text: string): boolean {
  return /^[A-Za-z0-9/_+=.@-]{1,128}$/.test(text);
}

function isArn(text: string): boolean {
  return /^arn:[\w-]+:iam::[\w]*:[\w+=,.@/-]+$/.test(text);
}

function isRoleArn(text: string): boolean {
  return isArn(text) && text.includes(":role/");
}

/** As the API reference of AssumeRole has it. */
function isExternalId(text: string): boolean {
  return /^[\w+=,.@:/-]{2,1224}$/.test(text);
}

function isTagValue(text: string): boolean {
  return /^[\p{L}\p{Z}\p{N}_.:/=+\-@]{1,256}$/u.test(text);
}
