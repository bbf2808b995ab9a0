import { randomBytes } from "node:crypto";
import { inParallel } from "../../src/core/parallel.ts";
import type { Finding, ResolveRequest } from "../../src/core/provider.ts";
import { UserError } from "../../src/errors.ts";
import type { Login } from "./login.ts";
import { allow, keyStatements, policyOf, secretArn } from "./policy.ts";
import { sessionRequest } from "./sessions.ts";
import { CURRENT } from "./versions.ts";

/** An action of IAM, and what would be refused without it. */
interface Probe {
  readonly action: string;
  /** True where the action knows no resource but `*`. */
  readonly everywhere: boolean;
  readonly attempt: (request: ResolveRequest) => Promise<unknown>;
}

/**
 * What `store check` shows: in whose name we ask, what that name may do, and the smallest policy that is missing.
 * Nothing is written: the probes ask for a secret that is not there, under a name that nobody has, and a right is
 * missing where the service refuses before it notices. CreateSecret cannot be tried so, and is not.
 */
export async function checkStore(login: Login, request: ResolveRequest): Promise<readonly Finding[]> {
  const identity = await attempt(async () => (await login.sts()).identity(request));
  if ("finding" in identity) return [identity.finding];
  const name = `${login.settings.prefix}mcp-secrets-check-${randomBytes(8).toString("hex")}`;
  const rights = await checkRights(login, name, request);
  const roles = await inParallel(Object.entries(login.settings.roles), async ([path, role]): Promise<Finding> => {
    const session = sessionRequest(login.store, role, { host: login.options.host });
    const assumed = await attempt(async () => (await login.sts()).assume(session, request));
    const what = `role ${path} (${role.arn})`;
    if ("finding" in assumed) return { ...assumed.finding, what: `${what}: ${assumed.finding.what}` };
    return { ok: true, what: `${what} can be assumed for ${role.duration} s` };
  });
  return [{ ok: true, what: `asks as ${identity.value}` }, ...rights, ...roles];
}

async function checkRights(login: Login, name: string, request: ResolveRequest): Promise<Finding[]> {
  const tried = await inParallel(probesFor(login, name), async (probe) => ({
    probe,
    result: await attempt(() => probe.attempt(request)),
  }));
  const denied = tried.filter(({ result }) => "finding" in result && result.code === "store-denied");
  const failed = tried.flatMap(({ result }) => {
    return "finding" in result && result.code !== "store-denied" ? [result.finding] : [];
  });
  const may = tried.filter(({ result }) => "value" in result).map(({ probe }) => probe.action);
  const missing = missingPolicy(
    login,
    denied.map(({ probe }) => probe),
  );
  return [
    ...(may.length === 0 ? [] : [{ ok: true, what: `may ${may.join(", ")}` }]),
    ...(missing === undefined ? [] : [missing]),
    ...failed,
  ];
}

function probesFor({ secrets }: Login, name: string): Probe[] {
  const version = "00000000-0000-8000-8000-000000000000";
  const put = { SecretId: name, SecretString: "-", ClientRequestToken: version, VersionStages: ["mcp-secrets-check"] };
  const move = { SecretId: name, VersionStage: "mcp-secrets-check", MoveToVersionId: version };
  const named = (action: string, one: Probe["attempt"]): Probe => ({ action, everywhere: false, attempt: one });
  const anywhere = (action: string, one: Probe["attempt"]): Probe => ({ action, everywhere: true, attempt: one });
  return [
    named("secretsmanager:GetSecretValue", (request) => secrets.get(name, CURRENT, request)),
    anywhere("secretsmanager:BatchGetSecretValue", (request) => secrets.batch([name], request)),
    named("secretsmanager:DescribeSecret", (request) => secrets.describe(name, request)),
    anywhere("secretsmanager:ListSecrets", (request) => secrets.list({ MaxResults: 1 }, request)),
    named("secretsmanager:PutSecretValue", (request) => secrets.put(put, request)),
    named("secretsmanager:UpdateSecretVersionStage", (request) => secrets.moveStage(move, request)),
    named("secretsmanager:DeleteSecret", (request) =>
      secrets.remove({ SecretId: name, RecoveryWindowInDays: 30 }, request),
    ),
  ];
}

/** Who may not put may not create either, as far as we can know. */
function missingPolicy({ settings }: Login, denied: readonly Probe[]): Finding | undefined {
  if (denied.length === 0) return undefined;
  const actions = denied.filter(({ everywhere }) => !everywhere).map(({ action }) => action);
  const writes = actions.includes("secretsmanager:PutSecretValue");
  const created = writes ? ["secretsmanager:CreateSecret", "secretsmanager:TagResource"] : [];
  const named = [...actions, ...created].toSorted();
  const anywhere = denied.filter(({ everywhere }) => everywhere).map(({ action }) => action);
  const keys = keyStatements(settings, writes ? ["kms:Decrypt", "kms:GenerateDataKey"] : ["kms:Decrypt"]);
  const policy = policyOf([
    ...(named.length === 0 ? [] : [allow(named, secretArn(settings, `${settings.prefix}*`)), ...keys]),
    ...(anywhere.length === 0 ? [] : [allow(anywhere, "*")]),
  ]);
  return {
    ok: false,
    what: `may not ${[...actions, ...anywhere].join(", ")}`,
    remedy: JSON.stringify(policy, undefined, 2),
  };
}

type Attempt<T> = { readonly value: T } | { readonly finding: Finding; readonly code: string };

/** A failure that the user can mend is a finding; that a secret is not there is none; a bug is thrown. */
async function attempt<T>(work: () => Promise<T>): Promise<Attempt<T | undefined>> {
  try {
    return { value: await work() };
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    if (error.code === "secret-not-found") return { value: undefined };
    const remedy = error.hint;
    const finding = { ok: false, what: error.message, ...(remedy !== undefined && { remedy }) };
    return { finding, code: error.code };
  }
}
