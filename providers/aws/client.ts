import {
  BatchGetSecretValueCommand,
  type BatchGetSecretValueCommandOutput,
  CreateSecretCommand,
  type CreateSecretCommandInput,
  DeleteSecretCommand,
  type DeleteSecretCommandInput,
  DescribeSecretCommand,
  type DescribeSecretCommandOutput,
  GetSecretValueCommand,
  type GetSecretValueCommandOutput,
  ListSecretsCommand,
  type ListSecretsCommandInput,
  type ListSecretsCommandOutput,
  ListSecretVersionIdsCommand,
  type ListSecretVersionIdsCommandOutput,
  PutSecretValueCommand,
  type PutSecretValueCommandInput,
  RotateSecretCommand,
  SecretsManagerClient,
  UpdateSecretVersionStageCommand,
  type UpdateSecretVersionStageCommandInput,
} from "@aws-sdk/client-secrets-manager";
import type { ResolveRequest } from "../../src/core/provider.ts";
import type { Calls } from "./calls.ts";
import type { ClientSettings } from "./credentials.ts";

export type SecretValue = GetSecretValueCommandOutput;

/** The operations of Secrets Manager that we use; each is tried again as `Calls` has it and fails in a UserError. */
export interface SecretsApi {
  get(name: string, stage: string, request: ResolveRequest): Promise<GetSecretValueCommandOutput>;
  batch(names: readonly string[], request: ResolveRequest): Promise<BatchGetSecretValueCommandOutput>;
  describe(name: string, request: ResolveRequest): Promise<DescribeSecretCommandOutput>;
  create(input: CreateSecretCommandInput, request: ResolveRequest): Promise<void>;
  put(input: PutSecretValueCommandInput, request: ResolveRequest): Promise<void>;
  moveStage(input: UpdateSecretVersionStageCommandInput, request: ResolveRequest): Promise<void>;
  list(input: ListSecretsCommandInput, request: ResolveRequest): Promise<ListSecretsCommandOutput>;
  remove(input: DeleteSecretCommandInput, request: ResolveRequest): Promise<void>;
  /** The versions that have labels, with their times. */
  versions(name: string, request: ResolveRequest): Promise<ListSecretVersionIdsCommandOutput>;
  /** The same `token` twice starts one rotation. */
  rotate(name: string, token: string, request: ResolveRequest): Promise<void>;
  close(): void;
}

/** The one user of the SDK's client for Secrets Manager. */
export function createSecretsApi(settings: ClientSettings, calls: Calls): SecretsApi {
  const client = new SecretsManagerClient(settings);
  const { send } = calls;
  return {
    get: (name, stage, request) =>
      send({ operation: "GetSecretValue", target: name }, request, (options) =>
        client.send(new GetSecretValueCommand({ SecretId: name, VersionStage: stage }), options),
      ),
    batch: (names, request) =>
      send({ operation: "BatchGetSecretValue", target: groupName(names) }, request, (options) =>
        client.send(new BatchGetSecretValueCommand({ SecretIdList: [...names] }), options),
      ),
    describe: (name, request) =>
      send({ operation: "DescribeSecret", target: name }, request, (options) =>
        client.send(new DescribeSecretCommand({ SecretId: name }), options),
      ),
    create: async (input, request) => {
      await send(
        { operation: "CreateSecret", target: input.Name ?? "", hidden: input.SecretString },
        request,
        (options) => client.send(new CreateSecretCommand(input), options),
      );
    },
    put: async (input, request) => {
      const call = { operation: "PutSecretValue", target: input.SecretId ?? "", hidden: input.SecretString };
      await send(call, request, (options) => client.send(new PutSecretValueCommand(input), options));
    },
    moveStage: async (input, request) => {
      await send({ operation: "UpdateSecretVersionStage", target: input.SecretId ?? "" }, request, (options) =>
        client.send(new UpdateSecretVersionStageCommand(input), options),
      );
    },
    list: (input, request) =>
      send({ operation: "ListSecrets", target: "" }, request, (options) =>
        client.send(new ListSecretsCommand(input), options),
      ),
    remove: async (input, request) => {
      await send({ operation: "DeleteSecret", target: input.SecretId ?? "" }, request, (options) =>
        client.send(new DeleteSecretCommand(input), options),
      );
    },
    versions: (name, request) =>
      send({ operation: "ListSecretVersionIds", target: name }, request, (options) =>
        client.send(new ListSecretVersionIdsCommand({ SecretId: name, MaxResults: 100 }), options),
      ),
    rotate: async (name, token, request) => {
      await send({ operation: "RotateSecret", target: name }, request, (options) =>
        client.send(new RotateSecretCommand({ SecretId: name, ClientRequestToken: token }), options),
      );
    },
    close: () => client.destroy(),
  };
}

function groupName(names: readonly string[]): string {
  const [first = ""] = names;
  return names.length < 2 ? first : `${first} and ${names.length - 1} more`;
}
