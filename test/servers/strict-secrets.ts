import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";

/** What a request asked of the service. */
export interface Asked {
  readonly operation: string;
  // Each operation has its own members; a test looks at those it knows.
  // oxlint-disable-next-line typescript/no-explicit-any
  readonly input: any;
}

/** What happens to a request instead of its answer, or after it was done. */
export type Fault =
  | { readonly type: "error"; readonly name: string; readonly status: number; readonly message?: string }
  | { readonly type: "hang" }
  | { readonly type: "reset" }
  /** It is done, and the answer is lost. */
  | { readonly type: "lost" }
  | { readonly type: "html" };

/**
 * Secrets Manager as its API reference has it, where moto and ministack are more lenient: a ClientRequestToken that
 * comes again with other content is refused, whatever its stages; so is a label that is moved from a version that does
 * not hold it. With faults on command.
 */
export interface StrictSecrets extends AsyncDisposable {
  readonly address: string;
  readonly asked: readonly Asked[];
  /** Names in the service, with the content and labels of every version by its id. */
  readonly secrets: ReadonlyMap<string, StoredSecret>;
  /** Decides about each request, before the next one. */
  fault: (asked: Asked, number: number) => Fault | undefined;
  /** How far the service's clock is ahead of ours, in milliseconds. It takes no request that is off by five minutes. */
  ahead: number;
  /** Forgets every secret and every request. */
  reset(): void;
}

export interface StoredSecret {
  readonly versions: Map<string, { readonly text: string; labels: Set<string> }>;
}

const noFault: StrictSecrets["fault"] = () => undefined;

class Refusal extends Error {
  constructor(name: string, message: string) {
    super(message);
    this.name = name;
  }
}

export async function startStrictSecrets(): Promise<StrictSecrets> {
  const asked: Asked[] = [];
  const secrets = new Map<string, StoredSecret>();
  const sockets = new Set<Socket>();
  const server = createServer((request, response) => void serve(request, response));
  const strict = {
    address: "",
    asked,
    secrets,
    fault: noFault,
    ahead: 0,
    reset() {
      secrets.clear();
      asked.length = 0;
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let body = "";
    for await (const chunk of request) body += String(chunk);
    const operation = String(request.headers["x-amz-target"] ?? "").split(".")[1] ?? "";
    const one = { operation, input: JSON.parse(body) };
    asked.push(one);
    response.setHeader("date", new Date(Date.now() + strict.ahead).toUTCString());
    if (isSkewed(request.headers["x-amz-date"], Date.now() + strict.ahead)) {
      return fail(
        response,
        403,
        "RequestTimeTooSkewed",
        "The difference between the request time and the current time is too large.",
      );
    }
    const fault = strict.fault(one, asked.length);
    if (fault === undefined) return answer(response, one);
    if (fault.type === "hang") return;
    if (fault.type === "html") {
      response.writeHead(200, { "content-type": "text/html" });
      response.end("<html>sign in</html>");
      return;
    }
    if (fault.type === "error") return fail(response, fault.status, fault.name, fault.message ?? "as the test says");
    if (fault.type === "lost") {
      try {
        perform(secrets, one);
      } catch {}
    }
    request.socket.resetAndDestroy();
  }

  function answer(response: ServerResponse, one: Asked): void {
    try {
      response.writeHead(200, { "content-type": "application/x-amz-json-1.1" });
      response.end(JSON.stringify(perform(secrets, one)));
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      fail(response, 400, error.name, error.message);
    }
  }

  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    socket.on("error", () => {});
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  strict.address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return strict;
}

/** `20261125T040000Z`, as requests are signed with. */
function isSkewed(date: string | string[] | undefined, now: number): boolean {
  const text = String(date).replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, "$1-$2-$3T$4:$5:$6Z");
  return Math.abs(Date.parse(text) - now) > 5 * 60_000;
}

function fail(response: ServerResponse, status: number, name: string, message: string): void {
  if (!response.headersSent) response.writeHead(status, { "content-type": "application/x-amz-json-1.1" });
  response.end(JSON.stringify({ __type: name, message }));
}

function perform(secrets: Map<string, StoredSecret>, { operation, input }: Asked): unknown {
  switch (operation) {
    case "CreateSecret":
      return create(secrets, input);
    case "PutSecretValue":
      return put(secretOf(secrets, input.SecretId), input);
    case "UpdateSecretVersionStage":
      return move(secretOf(secrets, input.SecretId), input);
    case "DescribeSecret":
      return describe(secretOf(secrets, input.SecretId), input.SecretId);
    case "GetSecretValue":
      return get(secretOf(secrets, input.SecretId), input);
    case "ListSecrets":
      return { SecretList: [...secrets.keys()].map((name) => ({ Name: name })) };
    case "BatchGetSecretValue":
      return batch(secrets, input);
    default:
      throw new Refusal("InvalidParameterException", `no ${operation} here`);
  }
}

function secretOf(secrets: Map<string, StoredSecret>, name: string): StoredSecret {
  const secret = secrets.get(name);
  if (secret !== undefined) return secret;
  throw new Refusal("ResourceNotFoundException", "Secrets Manager can't find the specified secret.");
}

function create(secrets: Map<string, StoredSecret>, input: Asked["input"]): unknown {
  const token = tokenOf(input);
  const there = secrets.get(input.Name);
  if (there === undefined) {
    const version = { text: input.SecretString, labels: new Set(["AWSCURRENT"]) };
    secrets.set(input.Name, { versions: new Map([[token, version]]) });
  } else if (there.versions.get(token)?.text !== input.SecretString) {
    throw new Refusal("ResourceExistsException", `The secret ${input.Name} already exists.`);
  }
  return { Name: input.Name, VersionId: token };
}

function put({ versions }: StoredSecret, input: Asked["input"]): unknown {
  const token = tokenOf(input);
  const there = versions.get(token);
  if (there === undefined) {
    if (!Array.isArray(input.VersionStages)) throw new Refusal("InvalidParameterException", "stages are explicit here");
    for (const label of input.VersionStages) giveLabel(versions, label);
    versions.set(token, { text: input.SecretString, labels: new Set(input.VersionStages) });
  } else if (there.text !== input.SecretString) {
    throw new Refusal("ResourceExistsException", "You can't use ClientRequestToken for another value.");
  }
  return { VersionId: token };
}

function tokenOf(input: Asked["input"]): string {
  const token: unknown = input.ClientRequestToken;
  if (typeof token === "string" && token.length >= 32 && token.length <= 64) return token;
  throw new Refusal("InvalidParameterException", "a token has 32 to 64 characters");
}

/** Whoever gets `AWSCURRENT` leaves `AWSPREVIOUS` to the one who had it. */
function giveLabel(versions: StoredSecret["versions"], label: string): void {
  const holder = [...versions.values()].find(({ labels }) => labels.has(label));
  if (holder === undefined) return;
  holder.labels.delete(label);
  if (label !== "AWSCURRENT") return;
  giveLabel(versions, "AWSPREVIOUS");
  holder.labels.add("AWSPREVIOUS");
}

function move({ versions }: StoredSecret, input: Asked["input"]): unknown {
  const holder = [...versions].find(([, { labels }]) => labels.has(input.VersionStage))?.[0];
  if (holder !== input.RemoveFromVersionId) {
    throw new Refusal("InvalidParameterException", "The staging label is not attached to RemoveFromVersionId.");
  }
  const target = input.MoveToVersionId === undefined ? undefined : versions.get(input.MoveToVersionId);
  if (input.MoveToVersionId !== undefined && target === undefined) {
    throw new Refusal("ResourceNotFoundException", "no such version");
  }
  if (target === undefined) versions.get(holder ?? "")?.labels.delete(input.VersionStage);
  else {
    giveLabel(versions, input.VersionStage);
    target.labels.delete("AWSPREVIOUS");
    target.labels.add(input.VersionStage);
  }
  return {};
}

function describe({ versions }: StoredSecret, name: string): unknown {
  const stages = [...versions].filter(([, { labels }]) => labels.size > 0);
  return { Name: name, VersionIdsToStages: Object.fromEntries(stages.map(([id, { labels }]) => [id, [...labels]])) };
}

function get({ versions }: StoredSecret, input: Asked["input"]): unknown {
  const found = [...versions].find(([, { labels }]) => labels.has(input.VersionStage ?? "AWSCURRENT"));
  if (found !== undefined) return { Name: input.SecretId, VersionId: found[0], SecretString: found[1].text };
  throw new Refusal("ResourceNotFoundException", "Secrets Manager can't find the specified secret value.");
}

function batch(secrets: Map<string, StoredSecret>, input: Asked["input"]): unknown {
  const names: string[] = input.SecretIdList;
  if (names.length > 20) throw new Refusal("InvalidParameterException", "at most 20");
  const missing = names.filter((name) => !secrets.has(name));
  return {
    SecretValues: names.flatMap((name) => {
      const secret = secrets.get(name);
      return secret === undefined ? [] : [get(secret, { SecretId: name })];
    }),
    Errors: missing.map((name) => ({ SecretId: name, ErrorCode: "ResourceNotFoundException", Message: "not there" })),
  };
}
