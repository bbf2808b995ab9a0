import nodeVault from "node-vault";
import type { Secret } from "../../src/core/secret.ts";
import { UserError } from "../../src/errors.ts";
import type { Call } from "./exchange.ts";
import type { Patience, Sent, Transport } from "./transport.ts";

/** Who asks, and how patiently. */
export interface Ask extends Patience {
  readonly token?: Secret | undefined;
  /** Seconds: the answer comes wrapped in a single-use token. */
  readonly wrapTtl?: number;
}

/** The four verbs. Paths are raw segments joined by `/`; each answers with what the server said, whatever it said. */
export interface Client {
  read(path: string, ask: Ask, query?: Readonly<Record<string, string>>): Promise<Sent>;
  write(path: string, data: Readonly<Record<string, unknown>>, ask: Ask): Promise<Sent>;
  list(path: string, ask: Ask): Promise<Sent>;
  delete(path: string, ask: Ask): Promise<Sent>;
}

/** Never looked up: our transport takes the path of it and picks the node itself. */
const ENDPOINT = "https://cluster.invalid";

/**
 * node-vault over our own transport, through the hook that it keeps for `request-promise`. The hook answers 200 with
 * the whole answer inside, so that node-vault judges nothing: it would take any 403 under `sys/health` for success, and
 * throw errors that print the token. No token is ever set on its client, which would send an old one after a login.
 */
export function createClient(transport: Transport, namespace: string | undefined): Client {
  const vault = nodeVault({
    endpoint: ENDPOINT,
    commands: {},
    debug: () => {},
    // It would check that each request has a path and a method: the four verbs see to that.
    tv4: Object.assign(() => true, { validate: () => true }),
    "request-promise": { defaults: () => (options: unknown) => exchangeFor(options, transport) },
  });
  // It reads VAULT_TOKEN, VAULT_NAMESPACE and VAULT_PREFIX from the environment where it is given none.
  Object.assign(vault, { token: "", namespace: namespace ?? "", pathPrefix: "" });
  let index: string | undefined;

  async function answerOf(made: Promise<unknown>): Promise<Sent> {
    const sent = await made;
    if (!isSent(sent)) throw new Error("node-vault did not hand through the answer");
    index = sent.index ?? index;
    return sent;
  }

  const options = (ask: Ask) => ({ headers: headersOf(ask, index), ask });
  return {
    read: async (path, ask, query) => answerOf(vault.read(`${escapePath(path)}${queryOf(query)}`, options(ask))),
    write: async (path, data, ask) => answerOf(vault.write(escapePath(path), data, options(ask))),
    list: async (path, ask) => answerOf(vault.list(escapePath(path), options(ask))),
    delete: async (path, ask) => answerOf(vault.delete(escapePath(path), options(ask))),
  };
}

/**
 * The path with every segment percent-encoded.
 * @throws UserError reference-invalid for what would lead elsewhere: `..`, an empty segment, `?`, `#`, `%`, a control
 * character
 */
export function escapePath(path: string): string {
  const segments = path.split("/");
  const bad = (segment: string) =>
    segment === "" || segment === "." || segment === ".." || /[?#%\\\p{Cc}]/u.test(segment);
  if (segments.some(bad)) {
    throw new UserError("reference-invalid", `not a path in a vault: ${JSON.stringify(path.slice(0, 80))}`);
  }
  return segments.map(encodeURIComponent).join("/");
}

/** Made anew for each call: node-vault writes into the object that it is given. */
function headersOf(ask: Ask, index: string | undefined): Record<string, string> {
  return {
    "X-Vault-Request": "true",
    ...(ask.token !== undefined && { "X-Vault-Token": ask.token.expose() }),
    ...(ask.wrapTtl !== undefined && { "X-Vault-Wrap-TTL": `${ask.wrapTtl}s` }),
    // A standby that has not seen our last write hands the read to the leader instead of answering with the old value.
    ...(index !== undefined && { "X-Vault-Index": index, "X-Vault-Inconsistent": "forward-active-node" }),
  };
}

async function exchangeFor(options: unknown, transport: Transport) {
  if (!isHookOptions(options)) throw new Error("node-vault calls its transport in another way than 0.12.0 does");
  const path = options.uri.slice(ENDPOINT.length);
  const { method, headers, json } = options;
  const call: Call = { method, path, headers, ...(json !== undefined && { body: JSON.stringify(json) }) };
  const sent = await transport.send(call, options.ask);
  return { statusCode: 200, body: sent, request: { path: "" } };
}

interface HookOptions {
  readonly method: string;
  readonly uri: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly json?: object;
  readonly ask: Ask;
}

function isHookOptions(value: unknown): value is HookOptions {
  if (typeof value !== "object" || value === null || !("uri" in value && "method" in value && "ask" in value))
    return false;
  if (typeof value.uri !== "string" || !value.uri.startsWith(`${ENDPOINT}/v1/`)) return false;
  return typeof value.method === "string" && "headers" in value && typeof value.headers === "object";
}

function isSent(value: unknown): value is Sent {
  return typeof value === "object" && value !== null && "status" in value && "repeated" in value;
}

function queryOf(query: Readonly<Record<string, string>> | undefined): string {
  return query === undefined ? "" : `?${new URLSearchParams(query).toString()}`;
}
