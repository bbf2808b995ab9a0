import { createPublicKey, generateKeyPairSync, randomBytes, verify } from "node:crypto";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";

/**
 * GitHub's REST API for apps, as its documentation has it (REST API endpoints for GitHub Apps; "Generating a JSON Web
 * Token (JWT) for a GitHub App"), and strict: a claim, a header or a field that is not as described is refused.
 */
export interface GitHubServer extends AsyncDisposable {
  readonly address: string;
  /** PEM, as GitHub hands it out. */
  readonly privateKey: string;
  /** Tokens that are valid. */
  readonly tokens: Map<string, Made>;
  /** Bodies of the requests for a token. */
  readonly asked: unknown[];
  readonly seen: string[];
  /** Each may be set at will. */
  suspended: boolean;
  /** What the answer says it grants, in place of what was asked for. */
  granting: Readonly<Record<string, string>> | undefined;
}

export interface Made {
  readonly repositories: readonly string[];
  readonly permissions: Readonly<Record<string, string>>;
}

export const APP = "Iv23liExample";
export const INSTALLATION = 4242;
const REPOSITORIES = ["app", "site", "docs"];
const PERMISSIONS: Readonly<Record<string, string>> = { contents: "write", issues: "write", metadata: "read" };
const RANKS = ["read", "write", "admin"];

interface Answer {
  readonly status: number;
  readonly json?: unknown;
}

export async function startGitHub(): Promise<GitHubServer> {
  const keys = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const privateKey = keys.privateKey.export({ type: "pkcs1", format: "pem" }).toString();
  const server = createServer((request, response) => {
    void bodyOf(request).then((body) => {
      github.seen.push(`${request.method} ${request.url}`);
      const { status, json } = answer(github, request, body);
      response.writeHead(status, json === undefined ? {} : { "content-type": "application/json; charset=utf-8" });
      response.end(json === undefined ? undefined : JSON.stringify(json));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const github: GitHubServer = {
    address: `http://127.0.0.1:${port}`,
    privateKey,
    tokens: new Map(),
    asked: [],
    seen: [],
    suspended: false,
    granting: undefined,
    [Symbol.asyncDispose]: async () => {
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return github;
}

function answer(github: GitHubServer, request: IncomingMessage, body: string): Answer {
  const { headers, method, url } = request;
  const route = `${method} ${url}`;
  if (headers["user-agent"] === undefined) return { status: 403, json: { message: "Request forbidden" } };
  if (headers.accept !== "application/vnd.github+json") return { status: 415, json: { message: "accept" } };
  const bearer = /^Bearer (.+)$/.exec(headers.authorization ?? "")?.[1] ?? "";
  if (route === "DELETE /installation/token") return revoke(github, bearer);
  if (route === "GET /installation/repositories") {
    const token = github.tokens.get(bearer);
    return token === undefined ? BAD : { status: 200, json: { repositories: token.repositories } };
  }
  if (!isAppsOwn(bearer, github.privateKey)) return BAD;
  if (route === "GET /app") return { status: 200, json: { slug: "mcp-tools", permissions: PERMISSIONS } };
  if (url !== `/app/installations/${INSTALLATION}` && url !== `/app/installations/${INSTALLATION}/access_tokens`) {
    return { status: 404, json: { message: "Not Found" } };
  }
  if (method === "GET") {
    const at = github.suspended ? "2026-01-01T00:00:00Z" : null;
    return { status: 200, json: { account: { login: "acme" }, permissions: PERMISSIONS, suspended_at: at } };
  }
  return mint(github, body);
}

const BAD: Answer = { status: 401, json: { message: "Bad credentials" } };

function revoke(github: GitHubServer, token: string): Answer {
  return github.tokens.delete(token) ? { status: 204 } : BAD;
}

/** RS256, issued by the app, not in the future, and for ten minutes at most. */
function isAppsOwn(jwt: string, privateKey: string): boolean {
  const [header = "", claims = "", signature = ""] = jwt.split(".");
  const key = createPublicKey(privateKey);
  const signed = verify("RSA-SHA256", Buffer.from(`${header}.${claims}`), key, Buffer.from(signature, "base64url"));
  if (!signed) return false;
  const { alg, typ } = JSON.parse(Buffer.from(header, "base64url").toString()) as Record<string, unknown>;
  const { iat, exp, iss } = JSON.parse(Buffer.from(claims, "base64url").toString()) as Record<string, unknown>;
  const now = Date.now() / 1000;
  const inTime = Number(iat) <= now && Number(exp) > now && Number(exp) - now <= 600;
  return alg === "RS256" && typ === "JWT" && iss === APP && inTime;
}

function mint(github: GitHubServer, body: string): Answer {
  if (github.suspended) return { status: 403, json: { message: "This installation has been suspended" } };
  const asked = JSON.parse(body) as Record<string, unknown>;
  github.asked.push(asked);
  const unknown = Object.keys(asked).find((name) => !["repositories", "permissions"].includes(name));
  const repositories = (asked["repositories"] ?? REPOSITORIES) as string[];
  const permissions = asked["permissions"] as Record<string, string>;
  const lacking = Object.entries(permissions).some(
    ([name, level]) => RANKS.indexOf(PERMISSIONS[name] ?? "") < RANKS.indexOf(level),
  );
  if (unknown !== undefined || lacking || !repositories.every((name) => REPOSITORIES.includes(name))) {
    const message = "The permissions requested are not granted to this installation.";
    return { status: 422, json: { message } };
  }
  // The form that came in 2026: the number of the app, and a JWT of no fixed length.
  const token = `ghs_1234_${randomBytes(20 + Math.floor(Math.random() * 200)).toString("base64url")}.x.y`;
  github.tokens.set(token, { repositories, permissions });
  const expires = new Date(Date.now() + 3_600_000).toISOString().replace(/\.\d+/, "");
  const granted = github.granting ?? { metadata: "read", ...permissions };
  return { status: 201, json: { token, expires_at: expires, permissions: granted, repository_selection: "selected" } };
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  let body = "";
  for await (const chunk of request) body += String(chunk);
  return body;
}
