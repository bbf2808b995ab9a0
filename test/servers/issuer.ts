import { randomBytes } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";

/** What a request asked of the issuer. */
export interface Asked {
  readonly operation: "login" | "set" | "mint" | "discard" | "retire";
  readonly user: string;
  readonly password: string;
  readonly name: string;
}

/** What happens to a request instead of its answer; `lost`: it is done, and the answer is not given. */
export type Fault = "lost" | "reset" | "hang" | "500" | "refused";

interface Credential {
  readonly password: string;
  /** The id of the rotation that asked for it. */
  readonly name: string;
}

/**
 * Something that gives out credentials and lets them be changed: with and without an overlap of old and new, limited in
 * number, revoking a whole family when an old value is used to ask for a new one, and with faults on command.
 */
export interface Issuer extends AsyncDisposable {
  readonly address: string;
  readonly asked: Asked[];
  /** What works now, by user. */
  readonly valid: Map<string, readonly Credential[]>;
  /** What a login may do. */
  grants: (password: string) => readonly string[];
  /** Decides about each request. */
  fault: (asked: Asked, number: number) => Fault | undefined;
  /** Old and new overlap. */
  overlap: boolean;
  /** How many credentials a user may have. */
  limit: number;
  readonly administrator: { password: string };
}

export const ADMINISTRATOR = "the-administrator";

export async function startIssuer(port = 0): Promise<Issuer> {
  const sockets = new Set<Socket>();
  const issuer = {
    address: "",
    asked: [] as Asked[],
    valid: new Map<string, readonly Credential[]>(),
    grants: () => ["read", "write"],
    fault: () => undefined,
    overlap: true,
    limit: Infinity,
    administrator: { password: ADMINISTRATOR },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  } satisfies Issuer as Issuer & { address: string };
  const server = createServer((request, response) => void serve(issuer, request, response));
  server.on("connection", (socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  // A server that listens on a port has an address with one.
  issuer.address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return issuer;
}

/** What logs in, in the order in which it was made. */
export function passwordsOf(issuer: Issuer, user = "app"): string[] {
  return (issuer.valid.get(user) ?? []).map(({ password }) => password);
}

export function issue(issuer: Issuer, user: string, password: string): void {
  issuer.valid.set(user, [...(issuer.valid.get(user) ?? []), { password, name: "" }]);
}

async function serve(issuer: Issuer, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(Buffer.from(chunk));
  const body = JSON.parse(Buffer.concat(chunks).toString());
  const operation = (request.url ?? "").slice(1) as Asked["operation"];
  const asked: Asked = { user: "", password: "", name: "", ...body, operation };
  const fault = issuer.fault(asked, issuer.asked.push(asked) - 1);
  if (fault === "hang") return;
  if (fault === "reset") return void request.socket.destroy();
  if (fault === "500") return void response.writeHead(500).end("{}");
  if (fault === "refused") return void response.writeHead(403).end("{}");
  const isAdministrator = body.administrator === issuer.administrator.password;
  const { status, answer } = operation === "login" || isAdministrator ? act(issuer, asked) : FORBIDDEN;
  if (fault === "lost") request.socket.destroy();
  else response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(answer));
}

const FORBIDDEN = { status: 403, answer: {} };
const FINE = { status: 200, answer: {} };

function act(issuer: Issuer, { operation, user, password, name }: Asked) {
  const valid = issuer.valid.get(user) ?? [];
  const keep = (rest: readonly Credential[]) => void issuer.valid.set(user, rest);
  const has = valid.some((each) => each.password === password);
  switch (operation) {
    case "login":
      return has ? { status: 200, answer: { grants: issuer.grants(password) } } : { status: 401, answer: {} };
    case "set":
      if (!issuer.overlap) keep([{ password, name }]);
      else if (!has) keep([...valid, { password, name }]);
      return FINE;
    case "mint": {
      // Class X: only who shows the old one gets a new one, and an old one that is shown again ends them all.
      if (!issuer.overlap && !has) keep([]);
      if ((!issuer.overlap && !has) || valid.length >= issuer.limit) return FORBIDDEN;
      const made = { password: `minted-${randomBytes(8).toString("hex")}`, name };
      keep([...(issuer.overlap ? valid : []), made]);
      return { status: 200, answer: { password: made.password } };
    }
    case "discard":
      keep(valid.filter((each) => each.name !== name));
      return FINE;
    case "retire":
      keep(valid.filter((each) => each.password !== password));
      return FINE;
  }
}
