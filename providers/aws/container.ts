import { timingSafeEqual } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { UserError } from "../../src/errors.ts";
import { digest } from "./names.ts";
import type { RoleSession } from "./sts.ts";

/**
 * The container credentials protocol of the AWS SDKs (SDKs and Tools Reference Guide, "Container credential provider"):
 * `AWS_CONTAINER_CREDENTIALS_FULL_URI` and `AWS_CONTAINER_AUTHORIZATION_TOKEN` in a server's environment make its SDK
 * ask here, again whenever what it has is about to end.
 */
export interface ContainerServer {
  /** For `AWS_CONTAINER_CREDENTIALS_FULL_URI`. */
  readonly uri: string;
  close(): void;
}

export interface ContainerOptions {
  /** What the one who may ask sends as its `Authorization`. */
  readonly token: string;
  /** Makes a new session. @throws UserError */
  readonly mint: () => Promise<RoleSession>;
  readonly now: () => number;
  /** Somebody asked who may not. */
  readonly refused: (why: string) => void;
}

const PATH = "/credentials";

/** A server on the loopback address for one child; it keeps nobody alive. */
export async function startContainerServer(options: ContainerOptions): Promise<ContainerServer> {
  const current = freshSession(options);
  const server = createServer((request, response) => {
    const host = `127.0.0.1:${portOf(server)}`;
    void answer(request, response, { ...options, host, current });
  });
  server.unref();
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", resolve);
  });
  return {
    uri: `http://127.0.0.1:${portOf(server)}${PATH}`,
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}

type Answering = ContainerOptions & { readonly host: string; readonly current: () => Promise<RoleSession> };

async function answer(request: IncomingMessage, response: ServerResponse, answering: Answering): Promise<void> {
  const refusal = refusalOf(request, answering);
  if (refusal !== undefined) {
    answering.refused(refusal.why);
    return reply(response, refusal.status, { code: "AccessDenied", message: refusal.why });
  }
  try {
    const { credentials, arn } = await answering.current();
    reply(response, 200, {
      AccessKeyId: credentials.accessKeyId,
      SecretAccessKey: credentials.secretAccessKey,
      Token: credentials.sessionToken,
      Expiration: credentials.expiration.toISOString(),
      RoleArn: arn,
    });
  } catch (error) {
    const message = error instanceof UserError ? error.message : "internal error";
    reply(response, 503, { code: "ServiceUnavailable", message });
  }
}

/** A browser that was led here by a name of its own sends that name as the host, and knows no token. */
function refusalOf(request: IncomingMessage, { host, token }: Answering): { status: number; why: string } | undefined {
  if (request.headers.host !== host) return { status: 403, why: "another host was asked for" };
  if (request.method !== "GET" || request.url !== PATH) return { status: 403, why: "another path was asked for" };
  if (!same(request.headers.authorization ?? "", token)) return { status: 401, why: "the token was wrong" };
  return undefined;
}

/** Takes as long whatever is wrong. */
function same(given: string, expected: string): boolean {
  return timingSafeEqual(Buffer.from(digest(given)), Buffer.from(digest(expected)));
}

/**
 * One session for all who ask, while half of its life is left: SDKs ask again when it is minutes from its end. Where no
 * new one is to be had, the old one as long as it lives.
 */
function freshSession({ mint, now }: ContainerOptions): () => Promise<RoleSession> {
  let held: { readonly session: RoleSession; readonly renewAt: number } | undefined;
  let minting: Promise<RoleSession> | undefined;
  async function renew(): Promise<RoleSession> {
    const asked = now();
    try {
      const session = await mint();
      held = { session, renewAt: (asked + session.credentials.expiration.getTime()) / 2 };
      return session;
    } catch (error) {
      if (held !== undefined && held.session.credentials.expiration.getTime() > now()) return held.session;
      throw error;
    } finally {
      minting = undefined;
    }
  }
  return async () => {
    if (held !== undefined && now() < held.renewAt) return held.session;
    minting ??= renew();
    return minting;
  };
}

function reply(response: ServerResponse, status: number, body: Readonly<Record<string, string>>): void {
  response.writeHead(status, { "content-type": "application/json", "cache-control": "no-store" });
  response.end(JSON.stringify(body));
}

function portOf(server: Server): number {
  const address = server.address();
  return isAddress(address) ? address.port : 0;
}

function isAddress(address: string | AddressInfo | null): address is AddressInfo {
  return typeof address === "object" && address !== null;
}
