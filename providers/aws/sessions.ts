import type { LaunchIdentity } from "../../src/core/provider.ts";
import { UserError } from "../../src/errors.ts";
import { sessionWord, splitEntry, tagValue } from "./names.ts";
import type { RoleSettings } from "./settings.ts";
import type { RoleRequest } from "./sts.ts";

/** What the session's parts may be at most (API reference of AssumeRole). */
const MOST_NAME = 64;
const MOST_POLICY = 2048;

/** Who a session is for: a launch, or without one a command on this machine. */
export interface SessionOwner {
  readonly host: string;
  readonly launch?: LaunchIdentity | undefined;
}

/**
 * What AssumeRole is asked, so that CloudTrail names the launch, the server and the machine with everything that is done
 * with the session.
 * @throws UserError config-invalid where a policy is longer than STS takes
 */
export function sessionRequest(
  store: string,
  role: RoleSettings,
  owner: SessionOwner,
  policy: Readonly<Record<string, unknown>> | undefined = role.policy,
): RoleRequest {
  const text = policy === undefined ? undefined : JSON.stringify(policy);
  if (text !== undefined && text.length > MOST_POLICY) throw tooLong(store, role);
  return {
    RoleArn: role.arn,
    RoleSessionName: sessionName(owner),
    DurationSeconds: role.duration,
    ...(role.externalId !== undefined && { ExternalId: role.externalId }),
    ...(text !== undefined && { Policy: text }),
    ...(role.policyArns.length > 0 && { PolicyArns: role.policyArns.map((arn) => ({ arn })) }),
    ...(role.tagSession && { SourceIdentity: sessionWord(owner.host, MOST_NAME), Tags: tagsOf(owner) }),
  };
}

/** The launch whole, and as much of the server as there is room for. */
function sessionName({ host, launch }: SessionOwner): string {
  if (launch === undefined) return sessionWord(`mcp-secrets-${host}`, MOST_NAME);
  const id = sessionWord(launch.id, 32);
  return `${sessionWord(splitEntry(launch.entry).server, MOST_NAME - 1 - id.length)}-${id}`;
}

function tagsOf({ host, launch }: SessionOwner): { Key: string; Value: string }[] {
  const { client, server } = splitEntry(launch?.entry ?? "");
  const tags = { server, client, launch: launch?.id ?? "", host };
  return Object.entries(tags).flatMap(([name, value]) =>
    value === "" ? [] : [{ Key: `mcp-secrets:${name}`, Value: tagValue(value) }],
  );
}

function tooLong(store: string, role: RoleSettings): UserError {
  return new UserError("config-invalid", `store ${store}: the session policy for ${role.arn} is too long for STS`, {
    hint: `STS takes ${MOST_POLICY} characters: use wildcards, or policyArns`,
  });
}
