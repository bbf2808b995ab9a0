import {
  AssumeRoleCommand,
  type AssumeRoleCommandInput,
  GetCallerIdentityCommand,
  STSClient,
} from "@aws-sdk/client-sts";
import type { ResolveRequest } from "../../src/core/provider.ts";
import { UserError } from "../../src/errors.ts";
import type { Calls } from "./calls.ts";
import type { ClientSettings, Credentials } from "./credentials.ts";

export type RoleRequest = AssumeRoleCommandInput;

/** What AssumeRole gave. */
export interface RoleSession {
  readonly credentials: Required<Credentials>;
  /** Of the session; names it in CloudTrail. */
  readonly arn: string;
}

export interface StsApi {
  /** @throws UserError */
  assume(input: RoleRequest, request: ResolveRequest): Promise<RoleSession>;
  /** The ARN of whoever asks; needs no right. */
  identity(request: ResolveRequest): Promise<string>;
  close(): void;
}

/** The one user of the SDK's client for STS. */
export function createStsApi(store: string, settings: ClientSettings, calls: Calls): StsApi {
  const client = new STSClient(settings);
  return {
    async assume(input, request) {
      const answer = await calls.send({ operation: "AssumeRole", target: input.RoleArn ?? "" }, request, (options) =>
        client.send(new AssumeRoleCommand(input), options),
      );
      const { AccessKeyId: accessKeyId, SecretAccessKey: secretAccessKey } = answer.Credentials ?? {};
      const { SessionToken: sessionToken, Expiration: expiration } = answer.Credentials ?? {};
      const arn = answer.AssumedRoleUser?.Arn ?? "";
      if (accessKeyId === undefined || secretAccessKey === undefined || sessionToken === undefined)
        throw garbage(store);
      if (expiration === undefined) throw garbage(store);
      return { credentials: { accessKeyId, secretAccessKey, sessionToken, expiration }, arn };
    },
    async identity(request) {
      const answer = await calls.send({ operation: "GetCallerIdentity", target: "" }, request, (options) =>
        client.send(new GetCallerIdentityCommand({}), options),
      );
      return answer.Arn ?? "";
    },
    close: () => client.destroy(),
  };
}

function garbage(store: string): UserError {
  return new UserError("store-answer", `store ${store}: AssumeRole: the answer has no credentials`, {
    hint: `mcp-secrets store check ${store}`,
  });
}
