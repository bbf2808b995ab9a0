import type { SecretRef } from "../../src/core/ref.ts";
import { isRolePath, nameOf } from "./names.ts";
import { roleOf } from "./roles.ts";
import type { AwsSettings, RoleSettings } from "./settings.ts";

/** A policy document of IAM. */
export interface Policy extends Readonly<Record<string, unknown>> {
  readonly Version: "2012-10-17";
  readonly Statement: readonly Statement[];
}

export interface Statement {
  readonly Effect: "Allow";
  readonly Action: readonly string[];
  /** Absent in the trust policy of a role, which stands in its resource. */
  readonly Resource?: string | readonly string[];
  readonly Principal?: Readonly<Record<string, string>>;
  readonly Condition?: Readonly<Record<string, unknown>>;
}

/** The least rights for one server. */
export interface Rights {
  /** For whoever starts it, or for the role that the store assumes. */
  readonly identityPolicy: Policy;
  /** What the session of a launch is narrowed to, where the store assumes a role. */
  readonly sessionPolicy?: Policy;
  /** What each role that the server is given, and the store's own, must trust us to do. */
  readonly trustPolicies: Readonly<Record<string, Policy>>;
}

/** STS takes no more for a session (API reference of AssumeRole). */
const MOST_SESSION_POLICY = 2048;

/** @throws UserError config-invalid where a reference names a role that the store has not */
export function rightsFor(store: string, settings: AwsSettings, refs: readonly SecretRef[]): Rights {
  const paths = [...new Set(refs.map(({ path }) => path))].toSorted();
  const names = paths.filter((path) => !isRolePath(path)).map((path) => nameOf(store, settings.prefix, path));
  const roles = paths.filter(isRolePath).map((path) => roleOf(store, settings, path));
  const assumed = settings.storeRole === undefined ? roles : [settings.storeRole, ...roles];
  const reading = names.length === 0 ? [] : readStatements(settings, names);
  return {
    identityPolicy: policyOf([...reading, ...assumed.map(assumeStatement)]),
    ...(settings.storeRole !== undefined && names.length > 0 && { sessionPolicy: sessionPolicyFor(settings, names) }),
    trustPolicies: Object.fromEntries(assumed.map((role) => [role.arn, trustPolicy(role)])),
  };
}

/** To read these secrets and no other; where that is too long for STS, what lies in the same folders. */
export function sessionPolicyFor(settings: AwsSettings, names: readonly string[]): Policy {
  const exact = policyOf(readStatements(settings, names));
  if (JSON.stringify(exact).length <= MOST_SESSION_POLICY) return exact;
  const folders = [...new Set(names.map((name) => `${name.slice(0, name.lastIndexOf("/") + 1)}*`))];
  return policyOf(readStatements(settings, folders));
}

function readStatements(settings: AwsSettings, names: readonly string[]): Statement[] {
  const resources = names.map((name) => secretArn(settings, name));
  return [
    allow(["secretsmanager:GetSecretValue"], resources),
    // Its only resource is *: it gives what GetSecretValue would give, and nothing else.
    ...(names.length > 1 ? [allow(["secretsmanager:BatchGetSecretValue"], "*")] : []),
    ...keyStatements(settings, ["kms:Decrypt"]),
  ];
}

/** Only through Secrets Manager, whatever else the key protects. */
export function keyStatements(settings: AwsSettings, actions: readonly string[]): Statement[] {
  const { kmsKeyId: key, region = "*" } = settings;
  if (key === undefined) return [];
  const resource = key.startsWith("arn:") ? key : `arn:${partitionOf(settings)}:kms:${region}:*:key/${key}`;
  const condition = { StringLike: { "kms:ViaService": `secretsmanager.${region}.amazonaws.com` } };
  return [{ ...allow(actions, key.includes("alias/") ? "*" : resource), Condition: condition }];
}

/** The service adds a hyphen and six characters to a name: a plain `*` would match longer names as well. */
export function secretArn(settings: AwsSettings, name: string): string {
  const { region = "*", storeRole } = settings;
  const account = storeRole?.arn.split(":")[4] ?? "*";
  const suffix = name.endsWith("*") ? "" : "-??????";
  return `arn:${partitionOf(settings)}:secretsmanager:${region}:${account}:secret:${name}${suffix}`;
}

function partitionOf({ storeRole, region = "" }: AwsSettings): string {
  const known = storeRole?.arn.split(":")[1];
  if (known !== undefined) return known;
  if (region.startsWith("cn-")) return "aws-cn";
  return region.startsWith("us-gov-") ? "aws-us-gov" : "aws";
}

function assumeStatement(role: RoleSettings): Statement {
  return allow(assumeActions(role), role.arn);
}

function assumeActions({ tagSession }: RoleSettings): string[] {
  return ["sts:AssumeRole", ...(tagSession ? ["sts:SetSourceIdentity", "sts:TagSession"] : [])];
}

/** The principal is for the user to fill in: we know who asks only when asking. */
function trustPolicy(role: RoleSettings): Policy {
  const { externalId } = role;
  const trust: Statement = {
    Effect: "Allow",
    Principal: { AWS: "ARN OF THE ONE WHO STARTS THE SERVER" },
    Action: assumeActions(role),
    ...(externalId !== undefined && { Condition: { StringEquals: { "sts:ExternalId": externalId } } }),
  };
  return policyOf([trust]);
}

export function allow(actions: readonly string[], resource: string | readonly string[]): Statement {
  return { Effect: "Allow", Action: actions, Resource: resource };
}

export function policyOf(statements: readonly Statement[]): Policy {
  return { Version: "2012-10-17", Statement: statements };
}

/** One JSON document. */
export function rightsText(rights: Rights): string {
  return `${JSON.stringify(rights, undefined, 2)}\n`;
}
