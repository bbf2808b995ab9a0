import { randomBytes } from "node:crypto";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";

/**
 * APIs of vendors as their documentation has them, in one server: nobody can rotate a real key in a test. It is strict:
 * a field, a type or a method that the documentation does not name is refused, so that what passes here says what was
 * sent. What the real ones do beside is not known from it.
 */
export interface VendorServer extends AsyncDisposable {
  readonly address: string;
  readonly gitlab: GitLab;
  /** Keys of the vendors that let two live side by side, by vendor. */
  readonly keys: Readonly<Record<Vendor, Keys>>;
  readonly slack: Slack;
  /** Everything that was asked: method, path, and the body as it came. */
  readonly seen: readonly Asked[];
}

export type Vendor = "openai" | "sendgrid" | "datadog" | "twilio" | "cloudflare";

export interface Asked {
  readonly method: string;
  /** With its query. */
  readonly path: string;
  readonly body: string;
  readonly headers: IncomingMessage["headers"];
}

interface Answer {
  readonly status: number;
  readonly json?: unknown;
}

/** A request that was read: its path without the query, its body by its type. */
interface Call extends Asked {
  readonly route: string;
  readonly query: URLSearchParams;
  readonly fields: Readonly<Record<string, unknown>>;
}

export async function startVendors(): Promise<VendorServer> {
  const seen: Asked[] = [];
  const gitlab = new GitLab();
  const slack = new Slack();
  const keys = {
    openai: new Keys("sk-svcacct-"),
    sendgrid: new Keys("SG."),
    datadog: new Keys(""),
    twilio: new Keys("SK"),
    cloudflare: new Keys("cf-"),
  };
  const routes: readonly ((call: Call) => Answer | undefined)[] = [
    (call) => gitlab.answer(call),
    (call) => slack.answer(call),
    (call) => openai(keys.openai, call),
    (call) => sendgrid(keys.sendgrid, call),
    (call) => datadog(keys.datadog, call),
    (call) => twilio(keys.twilio, call),
    (call) => cloudflare(keys.cloudflare, call),
  ];
  const server = createServer((request, response) => {
    void read(request).then((asked) => {
      seen.push(asked);
      const { status, json } = answerTo(asked, routes);
      response.writeHead(status, json === undefined ? {} : { "content-type": "application/json" });
      response.end(json === undefined ? undefined : JSON.stringify(json));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    address: `http://127.0.0.1:${port}`,
    gitlab,
    slack,
    keys,
    seen,
    [Symbol.asyncDispose]: async () => {
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function answerTo(asked: Asked, routes: readonly ((call: Call) => Answer | undefined)[]): Answer {
  try {
    const call = parse(asked);
    for (const route of routes) {
      const answer = route(call);
      if (answer !== undefined) return answer;
    }
    return { status: 404, json: { error: "404 Not Found" } };
  } catch (error) {
    if (error instanceof Refusal) return { status: error.status, json: { error: error.message } };
    throw error;
  }
}

class Refusal extends Error {
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

async function read(request: IncomingMessage): Promise<Asked> {
  let body = "";
  for await (const chunk of request) body += String(chunk);
  return { method: request.method ?? "", path: request.url ?? "", body, headers: request.headers };
}

function parse(asked: Asked): Call {
  const url = new URL(asked.path, "http://vendor");
  return { ...asked, route: url.pathname, query: url.searchParams, fields: fieldsOf(asked) };
}

function fieldsOf({ body, headers }: Asked): Readonly<Record<string, unknown>> {
  if (body === "") return {};
  const type = headers["content-type"];
  if (type === "application/x-www-form-urlencoded") return Object.fromEntries(new URLSearchParams(body));
  if (type !== "application/json") throw new Refusal(415, "unsupported media type");
  const value: unknown = JSON.parse(body);
  return { ...(value as object) };
}

/** @throws Refusal for a field that is not named, and one that is missing */
function only(fields: Readonly<Record<string, unknown>>, allowed: Readonly<Record<string, "needed" | "may">>): void {
  for (const name of Object.keys(fields)) {
    if (!Object.hasOwn(allowed, name)) throw new Refusal(400, `${name} is unknown`);
  }
  for (const [name, kind] of Object.entries(allowed)) {
    if (kind === "needed" && fields[name] === undefined) throw new Refusal(400, `${name} is missing`);
  }
}

function form(call: Call): void {
  if (call.headers["content-type"] !== "application/x-www-form-urlencoded") throw new Refusal(415, "not a form");
}

function random(count: number): string {
  return randomBytes(count).toString("hex");
}

interface GitLabToken {
  readonly id: number;
  readonly value: string;
  readonly family: number;
  readonly scopes: readonly string[];
  expires: string;
  revoked: boolean;
}

/** docs.gitlab.com/api/personal_access_tokens, and gitlab-org/gitlab issue 524639 for what a reuse does. */
export class GitLab {
  readonly tokens: GitLabToken[] = [];
  /** How often a token that was rotated before was presented, for anything. */
  reuses = 0;

  make(scopes: readonly string[] = ["api"], family = this.tokens.length + 1): GitLabToken {
    const token = {
      id: this.tokens.length + 1,
      value: `glpat-${random(10)}`,
      family,
      scopes,
      expires: "2099-01-01",
      revoked: false,
    };
    this.tokens.push(token);
    return token;
  }

  living(): string[] {
    return this.tokens.filter(({ revoked }) => !revoked).map(({ value }) => value);
  }

  answer(call: Call): Answer | undefined {
    const self = /^\/api\/v4\/(personal_access_tokens|(?:projects|groups)\/[^/]+\/access_tokens)\/self(\/rotate)?$/;
    const [, kind, rotate] = self.exec(call.route) ?? [];
    if (kind === undefined) return undefined;
    const token = this.tokens.find(({ value }) => value === call.headers["private-token"]);
    if (token === undefined) return { status: 401, json: { message: "401 Unauthorized" } };
    if (token.revoked) return this.#refuse(token, rotate !== undefined);
    if (rotate === undefined) return call.method === "GET" ? { status: 200, json: shown(token) } : { status: 405 };
    if (call.method !== "POST") return { status: 405 };
    return this.#rotate(token, call);
  }

  #refuse(token: GitLabToken, rotating: boolean): Answer {
    const replaced = this.tokens.some(({ family, id }) => family === token.family && id > token.id);
    if (replaced) this.reuses += 1;
    if (replaced && rotating) {
      for (const each of this.tokens) if (each.family === token.family) each.revoked = true;
    }
    return { status: 401, json: { error: "invalid_token", error_description: "Token was revoked." } };
  }

  #rotate(token: GitLabToken, call: Call): Answer {
    only(call.fields, { expires_at: "may" });
    if (!token.scopes.some((scope) => scope === "api" || scope === "self_rotate")) {
      return { status: 403, json: { error: "insufficient_scope" } };
    }
    const week = new Date(Date.now() + 7 * 86_400_000).toISOString().slice(0, 10);
    const expires = call.fields["expires_at"] ?? week;
    if (typeof expires !== "string" || !/^\d{4}-\d\d-\d\d$/.test(expires))
      throw new Refusal(400, "expires_at is invalid");
    token.revoked = true;
    const next = this.make(token.scopes, token.family);
    next.expires = expires;
    return { status: 200, json: { ...shown(next), token: next.value } };
  }
}

function shown({ id, scopes, revoked, expires }: GitLabToken) {
  return { id, name: "a token", revoked, scopes, user_id: 1, active: !revoked, expires_at: expires };
}

/** docs.slack.dev: tooling.tokens.rotate, apps.manifest.validate. */
export class Slack {
  pair = { token: `xoxe.xoxp-1-${random(8)}`, refresh: `xoxe-1-${random(8)}` };

  answer(call: Call): Answer | undefined {
    if (call.route === "/api/apps.manifest.validate") return this.#validate(call);
    if (call.route !== "/api/tooling.tokens.rotate") return undefined;
    form(call);
    only(call.fields, { refresh_token: "needed" });
    if (call.fields["refresh_token"] !== this.pair.refresh) {
      return { status: 200, json: { ok: false, error: "invalid_refresh_token" } };
    }
    this.pair = { token: `xoxe.xoxp-1-${random(8)}`, refresh: `xoxe-1-${random(8)}` };
    const { token, refresh } = this.pair;
    return {
      status: 200,
      json: { ok: true, token, refresh_token: refresh, team_id: "T", user_id: "U", iat: 1, exp: 2 },
    };
  }

  #validate(call: Call): Answer {
    form(call);
    only(call.fields, { manifest: "needed", app_id: "may" });
    const known = call.headers.authorization === `Bearer ${this.pair.token}`;
    return { status: 200, json: { ok: false, error: known ? "invalid_manifest" : "invalid_auth" } };
  }
}

interface Key {
  readonly id: string;
  readonly name: string;
  readonly value: string;
  readonly scopes: readonly string[];
  readonly given: Readonly<Record<string, unknown>>;
}

/** Keys of one vendor: the first manages the others. */
export class Keys {
  readonly all: Key[] = [];
  readonly #prefix: string;
  constructor(prefix: string) {
    this.#prefix = prefix;
  }

  make(name: string, more: Partial<Key> = {}): Key {
    const id = more.id ?? random(11);
    const value = more.value ?? `${this.#prefix}${random(16)}`;
    const key = { id, name, value, scopes: [], given: {}, ...more };
    this.all.push(key);
    return key;
  }

  of(value: string | undefined): Key | undefined {
    return this.all.find((key) => key.value === value);
  }

  drop(id: string | undefined): boolean {
    const at = this.all.findIndex((key) => key.id === id);
    if (at >= 0) this.all.splice(at, 1);
    return at >= 0;
  }
}

const bearerOf = (call: Call) => /^Bearer (.+)$/.exec(call.headers.authorization ?? "")?.[1];

/** developers.openai.com/api/reference, admin: service accounts, api keys. */
function openai(keys: Keys, call: Call): Answer | undefined {
  const project = "/v1/organization/projects/proj_abc";
  const key = keys.of(bearerOf(call));
  if (call.route === "/v1/models") return key === undefined ? { status: 401 } : { status: 200, json: { data: [] } };
  if (!call.route.startsWith(project)) return undefined;
  if (key === undefined) return { status: 401 };
  if (key.name !== "admin") return { status: 403 };
  if (call.route === `${project}/service_accounts/svc_1/api_keys` && call.method === "POST") {
    only(call.fields, { name: "may", scopes: "may", expires_in_seconds: "may" });
    const seconds = call.fields["expires_in_seconds"] ?? 1;
    if (!Number.isInteger(seconds) || Number(seconds) > 31_536_000) throw new Refusal(400, "expires_in_seconds");
    const made = keys.make(String(call.fields["name"]), { given: call.fields });
    const object = "organization.project.service_account.api_key";
    return { status: 200, json: { id: made.id, name: made.name, value: made.value, object, created_at: 1 } };
  }
  if (call.route === `${project}/api_keys` && call.method === "GET") return paged(keys, call);
  const [, id] = /\/api_keys\/([^/]+)$/.exec(call.route) ?? [];
  if (call.method !== "DELETE" || id === undefined) return { status: 405 };
  return keys.drop(id) ? { status: 200, json: { id, deleted: true } } : { status: 404 };
}

/** Two a page, whatever is asked for, so that there are pages. */
function paged(keys: Keys, call: Call): Answer {
  const after = call.query.get("after");
  const start = after === null ? 0 : keys.all.findIndex(({ id }) => id === after) + 1;
  const data = keys.all.slice(start, start + 2).map(({ id, name }) => ({ id, name, redacted_value: "sk-...x" }));
  return { status: 200, json: { data, has_more: start + 2 < keys.all.length, last_id: data.at(-1)?.id } };
}

/** www.twilio.com/docs/sendgrid/api-reference/api-keys. */
function sendgrid(keys: Keys, call: Call): Answer | undefined {
  if (!call.route.startsWith("/v3/")) return undefined;
  const key = keys.of(bearerOf(call));
  if (key === undefined) return { status: 401, json: { errors: [{ message: "authorization required" }] } };
  if (call.route === "/v3/scopes") return { status: 200, json: { scopes: key.scopes } };
  if (!key.scopes.includes("api_keys.create")) return { status: 403 };
  if (call.route === "/v3/api_keys" && call.method === "POST") {
    only(call.fields, { name: "needed", scopes: "may" });
    const id = random(11);
    const made = keys.make(String(call.fields["name"]), {
      id,
      value: `SG.${id}.${random(21)}`,
      scopes: call.fields["scopes"] as string[],
    });
    return { status: 201, json: { api_key: made.value, api_key_id: id, name: made.name, scopes: made.scopes } };
  }
  if (call.route === "/v3/api_keys") {
    return { status: 200, json: { result: keys.all.map(({ id, name }) => ({ api_key_id: id, name })) } };
  }
  return call.method === "DELETE" ? { status: keys.drop(call.route.split("/").at(-1)) ? 204 : 404 } : { status: 405 };
}

/** docs.datadoghq.com/api/latest/key-management, authentication. */
function datadog(keys: Keys, call: Call): Answer | undefined {
  const key = keys.of(String(call.headers["dd-api-key"]));
  if (call.route === "/api/v1/validate") {
    return key === undefined
      ? { status: 403, json: { errors: ["Forbidden"] } }
      : { status: 200, json: { valid: true } };
  }
  if (!call.route.startsWith("/api/v2/api_keys")) return undefined;
  if (key === undefined || call.headers["dd-application-key"] !== "app-key") return { status: 403 };
  if (call.method === "POST") {
    only(call.fields, { data: "needed" });
    const { type, attributes } = call.fields["data"] as { type: string; attributes: Record<string, unknown> };
    if (type !== "api_keys") throw new Refusal(400, "type");
    only(attributes, { name: "needed", category: "may", remote_config_read_enabled: "may" });
    const made = keys.make(String(attributes["name"]));
    return { status: 201, json: { data: { id: made.id, type, attributes: { name: made.name, key: made.value } } } };
  }
  if (call.method === "GET") {
    const filter = call.query.get("filter") ?? "";
    const found = keys.all.filter(({ name }) => name.includes(filter));
    return {
      status: 200,
      json: { data: found.map(({ id, name }) => ({ id, type: "api_keys", attributes: { name } })) },
    };
  }
  return { status: keys.drop(call.route.split("/").at(-1)) ? 204 : 404 };
}

/** www.twilio.com/docs/iam/api-keys/key-resource-v1. */
function twilio(keys: Keys, call: Call): Answer | undefined {
  const [, encoded = ""] = /^Basic (.+)$/.exec(call.headers.authorization ?? "") ?? [];
  const [sid, secret] = Buffer.from(encoded, "base64").toString().split(":");
  const key = keys.all.find(({ id, value }) => id === sid && value === secret);
  if (/^\/2010-04-01\/Accounts\/AC[0-9a-f]{32}\/IncomingPhoneNumbers\.json$/.test(call.route)) {
    return key === undefined ? { status: 401 } : { status: 200, json: { incoming_phone_numbers: [] } };
  }
  if (!call.route.startsWith("/v1/Keys")) return undefined;
  if (key === undefined) return { status: 401 };
  if (key.name !== "main") return { status: 403 };
  if (call.method === "POST") {
    form(call);
    only(call.fields, { AccountSid: "needed", FriendlyName: "may", KeyType: "may", Policy: "may" });
    const made = keys.make(String(call.fields["FriendlyName"]), { id: `SK${random(16)}` });
    return { status: 201, json: { sid: made.id, friendly_name: made.name, secret: made.value } };
  }
  if (call.method === "GET") {
    if (!call.query.has("AccountSid")) throw new Refusal(400, "AccountSid is missing");
    const found = keys.all.map(({ id, name }) => ({ sid: id, friendly_name: name }));
    return { status: 200, json: { keys: found, meta: { next_page_url: null } } };
  }
  return { status: keys.drop(call.route.split("/").at(-1)) ? 204 : 404 };
}

/** developers.cloudflare.com/api, user tokens. */
function cloudflare(keys: Keys, call: Call): Answer | undefined {
  const tokens = "/client/v4/user/tokens";
  if (!call.route.startsWith(tokens)) return undefined;
  const said = bearerOf(call);
  if (said === undefined || said === "x") return { status: 400, json: { success: false, errors: [{ code: 6003 }] } };
  const key = keys.of(said);
  if (key === undefined) return { status: 401, json: { success: false, errors: [{ code: 1000 }] } };
  const ok = (result: unknown, more: object = {}): Answer => ({
    status: 200,
    json: { success: true, errors: [], result, ...more },
  });
  if (call.route === `${tokens}/verify`) return ok({ id: key.id, status: "active" });
  if (key.name !== "manager") return { status: 403, json: { success: false, errors: [{ code: 9109 }] } };
  if (call.method === "POST") {
    only(call.fields, { name: "needed", policies: "needed", condition: "may", expires_on: "may", not_before: "may" });
    for (const policy of call.fields["policies"] as Record<string, unknown>[]) {
      only(policy, { effect: "needed", resources: "needed", permission_groups: "needed" });
    }
    const made = keys.make(String(call.fields["name"]), { given: call.fields });
    return ok({ id: made.id, name: made.name, status: "active", value: made.value });
  }
  if (call.route === tokens) {
    const page = Number(call.query.get("page") ?? "1");
    const result = keys.all.slice(2 * (page - 1), 2 * page).map(({ id, name }) => ({ id, name, status: "active" }));
    return ok(result, { result_info: { page, per_page: 2, total_pages: Math.ceil(keys.all.length / 2) } });
  }
  const found = keys.all.find(({ id }) => id === call.route.split("/").at(-1));
  if (found === undefined) return { status: 404, json: { success: false } };
  if (call.method === "GET") return ok({ id: found.id, name: found.name, ...found.given });
  keys.drop(found.id);
  return ok({ id: found.id });
}
